/* A library with the part of NVML's interface that reports are asked through (nvml.h of driver 550),
 * so that the way to it can be tested without a GPU. What it answers is defined by the compiler's
 * command line: INIT, GPUS, FEATURE, DEVTOOLS, LOST (number of a GPU that does not answer, or -1),
 * CHAIN (a text). A report is the GPU's number and its nonce. */

#include <stddef.h>
#include <string.h>

enum {
	SUCCESS = 0,
	INVALID_ARGUMENT = 2,
	GPU_IS_LOST = 15,
	ARGUMENT_VERSION_MISMATCH = 25,
};

struct settings {
	unsigned version;
	unsigned environment;
	unsigned ccFeature;
	unsigned devToolsMode;
	unsigned multiGpuMode;
};

struct certificate {
	unsigned certChainSize;
	unsigned attestationCertChainSize;
	unsigned char certChain[0x1000];
	unsigned char attestationCertChain[0x1400];
};

struct report {
	unsigned isCecAttestationReportPresent;
	unsigned attestationReportSize;
	unsigned cecAttestationReportSize;
	unsigned char nonce[0x20];
	unsigned char attestationReport[0x2000];
	unsigned char cecAttestationReport[0x1000];
};

static char gpus[16];

static int number(void *device)
{
	return (int)((char *)device - gpus);
}

int nvmlInit_v2(void)
{
	return INIT;
}

int nvmlShutdown(void)
{
	return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
	*count = GPUS;
	return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
	if (index >= GPUS)
		return INVALID_ARGUMENT;
	*device = gpus + index;
	return SUCCESS;
}

#ifndef OLD
int nvmlSystemGetConfComputeSettings(struct settings *settings)
{
	if (settings->version != (sizeof *settings | 1u << 24))
		return ARGUMENT_VERSION_MISMATCH;
	settings->ccFeature = FEATURE;
	settings->devToolsMode = DEVTOOLS;
	return SUCCESS;
}
#endif

int nvmlDeviceGetConfComputeGpuCertificate(void *device, struct certificate *certificate)
{
	(void)device;
	certificate->attestationCertChainSize = strlen(CHAIN);
	memcpy(certificate->attestationCertChain, CHAIN, strlen(CHAIN));
	return SUCCESS;
}

int nvmlDeviceGetConfComputeGpuAttestationReport(void *device, struct report *report)
{
	if (number(device) == LOST)
		return GPU_IS_LOST;
	report->attestationReportSize = 1 + sizeof report->nonce;
	report->attestationReport[0] = (unsigned char)number(device);
	memcpy(report->attestationReport + 1, report->nonce, sizeof report->nonce);
	return SUCCESS;
}
