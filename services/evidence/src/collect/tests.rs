use super::*;
use crate::testing::Tree;

fn collector() -> (Tree, Collector) {
	let tree = Tree::new();
	let roots = tree.roots();
	(tree, Collector { roots, ..Collector::default() })
}

fn report(provider: &str, outblob: Vec<u8>) -> TsmReport {
	TsmReport { provider: provider.into(), outblob, auxblob: vec![] }
}

#[test]
fn missing_interface_should_be_said_with_what_to_do() {
	let (_tree, collector) = collector();
	for source in [Source::SevSnp, Source::Tdx] {
		let error = collector.platform(source, &[1; 32]).unwrap_err();
		assert!(matches!(&error, CollectError::Tsm(TsmError::NoInterface(_))));
		assert!(error.what_to_do().contains("mount -t configfs"));
	}
}

#[test]
fn sources_that_are_not_built_in_should_say_so() {
	let (_tree, collector) = collector();
	let error = collector.platform(Source::Tpm, &[1; 32]).unwrap_err();
	if cfg!(feature = "tpm") {
		assert!(error.to_string().contains("tpmrm0"), "{error}");
		assert!(error.what_to_do().contains("BIOS"));
	} else {
		assert!(error.what_to_do().contains("--features tpm"));
	}
}

#[test]
fn gpus_should_be_asked_beside_a_platform_only() {
	let (_tree, collector) = collector();
	let error = collector.platform(Source::NvidiaGpu, &[1; 32]).unwrap_err();
	assert!(matches!(error, CollectError::NoPlatform(Source::NvidiaGpu)));
	let platform = PlatformEvidence::Dcap { quote: Default::default() };
	assert!(!matches!(collector.gpu_state(), State::Available));
	let error = collector.gpus(&[1; 32], &platform).unwrap_err();
	assert!(matches!(error, CollectError::Gpu(GpuError::Library { .. })));
	assert!(error.to_string().contains("libnvidia-ml.so.1 cannot be used"), "{error}");
	assert!(error.what_to_do().contains("driver 550"), "{}", error.what_to_do());
}

#[test]
fn answer_of_another_maker_should_be_refused() {
	let (_tree, collector) = collector();
	let data = [0; 64];
	let asked = |source, provider| collector.of_report(source, report(provider, vec![1]), &data);
	let error = asked(Source::SevSnp, "tdx_guest").unwrap_err();
	assert_eq!(
		error.to_string(),
		"asked for sev-snp evidence, and the guest's driver is tdx_guest"
	);
	assert_eq!(error.what_to_do(), "ask for tdx");
	assert_eq!(asked(Source::Tdx, "sev_guest").unwrap_err().what_to_do(), "ask for sev-snp");
	assert!(asked(Source::Tdx, "arm_cca_guest")
		.unwrap_err()
		.what_to_do()
		.contains("device key"));
	assert!(matches!(asked(Source::SevSnp, "sev_guest"), Err(CollectError::Snp(_))));
}

#[test]
fn quote_should_travel_as_it_is_up_to_the_chains_limit() {
	let (_tree, collector) = collector();
	let quote = |len| collector.of_report(Source::Tdx, report("tdx_guest", vec![5; len]), &[0; 64]);
	let Ok(PlatformEvidence::Dcap { quote: taken }) = quote(16_384) else { panic!("no quote") };
	assert_eq!(taken.to_vec(), vec![5; 16_384]);
	assert!(matches!(quote(16_385), Err(CollectError::TooLarge(16_385))));
}
