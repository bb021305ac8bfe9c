// The kernels of exact int8 products on NVIDIA GPUs: masks, products and hashes of rows.
//
// What they compute is defined in verifier/src/challenge/gemm.rs. scripts/cuda.sh compiles this file to
// gemm.ptx. There is no shared memory and no barrier, so that with ARMATURE_HOST the same source runs on a
// processor, one thread after the other, which is how tests check it where no GPU is.
//
// All arguments are 64 bits wide: addresses and numbers. Words are little-endian, as on every GPU.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
// What a thread loads or stores at once.
typedef u32 words4 __attribute__((vector_size(16)));

#ifdef ARMATURE_HOST

#define DEVICE static inline
#define KERNEL(threads, blocks) static
#define UNROLL
static _Thread_local u32 now_thread, now_threads, now_block_x, now_block_y;
#define THREAD now_thread
#define THREADS now_threads
#define BLOCK_X now_block_x
#define BLOCK_Y now_block_y

static inline int dp4a(u32 a, u32 b, int sum)
{
	for (int part = 0; part < 32; part += 8)
		sum += (int)(signed char)(a >> part) * (int)(signed char)(b >> part);
	return sum;
}

static inline words4 load(const words4 *from)
{
	return *from;
}

#else

#define DEVICE static __attribute__((device, always_inline)) inline
// At most so many threads a block, of which so many blocks at least are to fit on a multiprocessor.
#define KERNEL(threads, blocks) \
	extern "C" __attribute__((global, launch_bounds(threads, blocks)))
#define UNROLL _Pragma("unroll")
#define THREAD ((u32)__nvvm_read_ptx_sreg_tid_x())
#define THREADS ((u32)__nvvm_read_ptx_sreg_ntid_x())
#define BLOCK_X ((u32)__nvvm_read_ptx_sreg_ctaid_x())
#define BLOCK_Y ((u32)__nvvm_read_ptx_sreg_ctaid_y())

DEVICE int dp4a(u32 a, u32 b, int sum)
{
	int result;
	__asm__("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
	return result;
}

// One load of what no kernel writes meanwhile. A plain one is taken apart by the compiler where words of
// it are used one by one.
DEVICE words4 load(const words4 *from)
{
	typedef u32 four __attribute__((ext_vector_type(4)));
	return (words4)__nvvm_ldg_ui4((const four *)from);
}

#endif

#define ROTATE(x, left) (((x) << (left)) | ((x) >> (32 - (left))))

#define QUARTER(a, b, c, d) \
	a += b, d ^= a, d = ROTATE(d, 16), c += d, b ^= c, b = ROTATE(b, 12), \
	a += b, d ^= a, d = ROTATE(d, 8), c += d, b ^= c, b = ROTATE(b, 7)

// Mixes 64 bytes of a ChaCha8 key stream, nonce zero, into `words`.
DEVICE void add_stream(u32 words[16], const u32 *key, u32 block)
{
	u32 first[16], v[16];
	first[0] = 0x61707865, first[1] = 0x3320646e, first[2] = 0x79622d32, first[3] = 0x6b206574;
	UNROLL
	for (int at = 0; at < 8; at++)
		first[4 + at] = key[at];
	first[12] = block, first[13] = first[14] = first[15] = 0;
	UNROLL
	for (int at = 0; at < 16; at++)
		v[at] = first[at];
	UNROLL
	for (int twice = 0; twice < 4; twice++) {
		QUARTER(v[0], v[4], v[8], v[12]);
		QUARTER(v[1], v[5], v[9], v[13]);
		QUARTER(v[2], v[6], v[10], v[14]);
		QUARTER(v[3], v[7], v[11], v[15]);
		QUARTER(v[0], v[5], v[10], v[15]);
		QUARTER(v[1], v[6], v[11], v[12]);
		QUARTER(v[2], v[7], v[8], v[13]);
		QUARTER(v[3], v[4], v[9], v[14]);
	}
	UNROLL
	for (int at = 0; at < 16; at++)
		words[at] ^= v[at] + first[at];
}

// What stays of a word of which `bytes` bytes are within the row.
DEVICE u32 within(u32 word, u64 bytes)
{
	return bytes >= 4 ? word : word & ((1u << (8 * bytes)) - 1);
}

// Masks a factor. A thread makes 64 bytes of a row: thread `row` of the grid's first dimension, block
// `block` of its second one.
//
// Of a factor, 16 bytes of each of its `rows` rows lie side by side, then the next 16 of each: threads
// that multiply neighbouring rows then read neighbouring bytes. What is past `side` in the last 16 is zero.
//
// `sources` has the address of each row, on a multiple of 16 and readable up to a multiple of 64, or zero
// where the row is the key stream of its key in `firsts`. Keys have 32 bytes.
KERNEL(64, 1) void mask(
	words4 *out, const u32 *keys, const u64 *sources, const u32 *firsts, u64 side, u64 rows)
{
	u64 row = (u64)BLOCK_X * THREADS + THREAD;
	u32 block = BLOCK_Y;
	if (row >= side)
		return;
	u32 words[16];
	UNROLL
	for (int at = 0; at < 16; at++)
		words[at] = 0;
	add_stream(words, keys + row * 8, block);
	u64 source = sources[row];
	if (source) {
		const words4 *from = (const words4 *)source + (u64)block * 4;
		UNROLL
		for (int part = 0; part < 4; part++) {
			words4 four = from[part];
			UNROLL
			for (int at = 0; at < 4; at++)
				words[part * 4 + at] ^= four[at];
		}
	} else {
		add_stream(words, firsts + row * 8, block);
	}
	UNROLL
	for (int part = 0; part < 4; part++) {
		u64 from = (u64)block * 64 + (u64)part * 16;
		if (from >= side)
			return;
		words4 four;
		UNROLL
		for (int at = 0; at < 4; at++) {
			u64 byte = from + (u64)at * 4;
			four[at] = byte < side ? within(words[part * 4 + at], side - byte) : 0;
		}
		out[((u64)block * 4 + (u64)part) * rows + row] = four;
	}
}

// Entries in a thread's register tile, each way, and in the tile of a block's 256 threads.
#define THREAD_TILE 8
#define BLOCK_TILE 128
// Rows of tiles that blocks go over before they take the next columns, so that what they read at about
// the same time is little.
#define STRIP 16

// Multiplies: one block for each tile of 128 x 128 entries, in the grid's first dimension, 256 threads.
// `rows` is a multiple of 128, and `parts` is how many times 16 bytes of each row there are.
KERNEL(256, 2) void product(
	u8 *out, const words4 *left, const words4 *right, u64 side, u64 pitch, u64 rows, u64 parts)
{
	u32 tiles = (u32)(rows / BLOCK_TILE);
	u32 strip = BLOCK_X / (STRIP * tiles), in_strip = BLOCK_X % (STRIP * tiles);
	u32 height = tiles - strip * STRIP < STRIP ? tiles - strip * STRIP : STRIP;
	u64 tile_y = (u64)strip * STRIP + in_strip % height, tile_x = in_strip / height;
	// A warp is 4 threads high and 8 wide: its loads are few and whole lines of the cache. A thread's
	// entries are 16 apart for the same reason.
	u32 x = (THREAD & 7) | (THREAD >> 5 & 1) << 3, y = (THREAD >> 3 & 3) | THREAD >> 6 << 2;
	u64 first_row = tile_y * BLOCK_TILE + y, first_column = tile_x * BLOCK_TILE + x;
	left += first_row;
	right += first_column;

	int sums[THREAD_TILE][THREAD_TILE];
	UNROLL
	for (int i = 0; i < THREAD_TILE; i++) {
		UNROLL
		for (int j = 0; j < THREAD_TILE; j++)
			sums[i][j] = 0;
	}
	for (u64 part = 0; part < parts; part++) {
		words4 a[THREAD_TILE];
		UNROLL
		for (int i = 0; i < THREAD_TILE; i++)
			a[i] = load(left + i * 16);
		UNROLL
		for (int j = 0; j < THREAD_TILE; j++) {
			words4 b = load(right + j * 16);
			UNROLL
			for (int word = 0; word < 4; word++) {
				UNROLL
				for (int i = 0; i < THREAD_TILE; i++)
					sums[i][j] = dp4a(a[i][word], b[word], sums[i][j]);
			}
		}
		left += rows;
		right += rows;
	}

	UNROLL
	for (int i = 0; i < THREAD_TILE; i++) {
		u64 row = first_row + (u64)i * 16;
		UNROLL
		for (int j = 0; j < THREAD_TILE; j++) {
			u64 column = first_column + (u64)j * 16;
			if (row < side && column < side)
				out[row * pitch + column] = (u8)(sums[i][j] ^ sums[i][j] >> 12);
		}
	}
}

#define MIX(a, b, c, d, x, y) \
	v[a] += v[b] + m[x], v[d] ^= v[a], v[d] = ROTATE(v[d], 16), \
	v[c] += v[d], v[b] ^= v[c], v[b] = ROTATE(v[b], 20), \
	v[a] += v[b] + m[y], v[d] ^= v[a], v[d] = ROTATE(v[d], 24), \
	v[c] += v[d], v[b] ^= v[c], v[b] = ROTATE(v[b], 25)

#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
	MIX(0, 4, 8, 12, s0, s1); \
	MIX(1, 5, 9, 13, s2, s3); \
	MIX(2, 6, 10, 14, s4, s5); \
	MIX(3, 7, 11, 15, s6, s7); \
	MIX(0, 5, 10, 15, s8, s9); \
	MIX(1, 6, 11, 12, s10, s11); \
	MIX(2, 7, 8, 13, s12, s13); \
	MIX(3, 4, 9, 14, s14, s15)

// BLAKE2s-256 of each row of a state, one thread a row. Rows lie `pitch` bytes apart, a multiple of 64.
KERNEL(64, 1) void hash(words4 *out, const u8 *state, u64 side, u64 pitch)
{
	u64 row = (u64)BLOCK_X * THREADS + THREAD;
	if (row >= side)
		return;
	const u32 start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	u32 h[8];
	UNROLL
	for (int at = 0; at < 8; at++)
		h[at] = start[at];
	// No key, 32 bytes of hash, no tree.
	h[0] ^= 0x01010020;
	const words4 *from = (const words4 *)(state + row * pitch);
	for (u64 begin = 0; begin < side; begin += 64) {
		u64 end = begin + 64 < side ? begin + 64 : side;
		u32 m[16], v[16];
		UNROLL
		for (int part = 0; part < 4; part++) {
			words4 four = from[part];
			UNROLL
			for (int at = 0; at < 4; at++) {
				u64 byte = begin + (u64)part * 16 + (u64)at * 4;
				m[part * 4 + at] = byte < side ? within(four[at], side - byte) : 0;
			}
		}
		from += 4;
		UNROLL
		for (int at = 0; at < 8; at++) {
			v[at] = h[at];
			v[8 + at] = start[at];
		}
		v[12] ^= (u32)end;
		if (end == side)
			v[14] = ~v[14];
		ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
		ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
		ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
		ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
		ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
		ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
		ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
		ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
		ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
		ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
		UNROLL
		for (int at = 0; at < 8; at++)
			h[at] ^= v[at] ^ v[8 + at];
	}
	UNROLL
	for (int part = 0; part < 2; part++) {
		words4 four;
		UNROLL
		for (int at = 0; at < 4; at++)
			four[at] = h[part * 4 + at];
		out[row * 2 + (u64)part] = four;
	}
}

#ifdef ARMATURE_HOST

// Runs a kernel, 0 mask, 1 product, 2 hash, for all threads of a grid.
void armature_launch(u32 kernel, u32 blocks_x, u32 blocks_y, u32 threads, const u64 *args)
{
	now_threads = threads;
	for (now_block_y = 0; now_block_y < blocks_y; now_block_y++)
		for (now_block_x = 0; now_block_x < blocks_x; now_block_x++)
			for (now_thread = 0; now_thread < threads; now_thread++)
				switch (kernel) {
				case 0:
					mask((words4 *)args[0], (const u32 *)args[1], (const u64 *)args[2],
						(const u32 *)args[3], args[4], args[5]);
					break;
				case 1:
					product((u8 *)args[0], (const words4 *)args[1], (const words4 *)args[2],
						args[3], args[4], args[5], args[6]);
					break;
				case 2:
					hash((words4 *)args[0], (const u8 *)args[1], args[2], args[3]);
					break;
				}
}

#endif
