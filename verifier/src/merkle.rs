//! Binary Merkle trees with paths of an exact length.
//!
//! A leaf hashes to `blake2b256(0x00 || leaf)`, a node to `blake2b256(0x01 || left || right)`, so
//! neither can be passed off as the other. A level of odd length hands its last hash up unchanged
//! (RFC 6962 gives the same tree); nothing is ever duplicated, so two different lists of leaves
//! cannot share a root by repeating a tail. The root does not bind the number of leaves: whoever
//! commits to a root commits to the count beside it, and [`verify`] takes that count, from which
//! the length of every path follows.

use alloc::vec::Vec;
use armature_primitives::H256;
use sp_core::{bounded::BoundedVec, ConstU32};

/// The longest path: a tree has at most `u32::MAX` leaves.
pub const MAX_DEPTH: u32 = 32;

/// The hashes beside the way from a leaf to the root, lowest first, at most `MAX`.
pub type Path<const MAX: u32 = MAX_DEPTH> = BoundedVec<H256, ConstU32<MAX>>;

/// The hash of a leaf: `blake2b256(0x00 || leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> H256 {
	let mut input = Vec::with_capacity(leaf.len().saturating_add(1));
	input.push(0);
	input.extend_from_slice(leaf);
	H256(sp_io::hashing::blake2_256(&input))
}

/// The hash of an inner node: `blake2b256(0x01 || left || right)`.
pub fn node_hash(left: &H256, right: &H256) -> H256 {
	let mut input = [1u8; 65];
	let (_, children) = input.split_at_mut(1);
	let (l, r) = children.split_at_mut(32);
	l.copy_from_slice(left.as_bytes());
	r.copy_from_slice(right.as_bytes());
	H256(sp_io::hashing::blake2_256(&input))
}

/// What stands beside a node on one level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Beside {
	/// The node is a right child; its sibling comes from the left.
	Left,
	/// The node is a left child; its sibling comes from the right.
	Right,
	/// The node is the last of an odd level and moves up as it is.
	Nothing,
}

/// The way from leaf `index` up to the root of a tree of `leaf_count` leaves, one item a level.
/// Empty for an index outside the tree.
fn climb(leaf_count: u32, index: u32) -> impl Iterator<Item = (u32, Beside)> {
	let mut width = if index < leaf_count { leaf_count } else { 0 };
	let mut at = index;
	core::iter::from_fn(move || {
		if width <= 1 {
			return None;
		}
		let beside = if at % 2 == 1 {
			Beside::Left
		} else if at.checked_add(1).is_some_and(|next| next < width) {
			Beside::Right
		} else {
			Beside::Nothing
		};
		let item = (at, beside);
		at /= 2;
		width = width.div_ceil(2);
		Some(item)
	})
}

/// The length of the path of leaf `index` in a tree of `leaf_count` leaves; `None` when the tree
/// has no such leaf.
pub fn path_len(leaf_count: u32, index: u32) -> Option<usize> {
	(index < leaf_count).then(|| {
		climb(leaf_count, index)
			.filter(|(_, beside)| *beside != Beside::Nothing)
			.count()
	})
}

/// Whether `leaf` is leaf `index` of the tree of `leaf_count` leaves under `root`. Total: any
/// input that is not exactly such a proof, a longer or shorter path included, is `false`.
pub fn verify(root: &H256, leaf_count: u32, index: u32, leaf: &[u8], path: &[H256]) -> bool {
	verify_hash(root, leaf_count, index, leaf_hash(leaf), path)
}

/// [`verify`] for a leaf whose [`leaf_hash`] the caller computed.
pub fn verify_hash(root: &H256, leaf_count: u32, index: u32, leaf: H256, path: &[H256]) -> bool {
	root_from(leaf_count, index, leaf, path).as_ref() == Some(root)
}

/// The root of the tree of `leaf_count` leaves in which a leaf with this [`leaf_hash`] is leaf `index`, and
/// has this path. `None` where no leaf there has such a path.
pub fn root_from(leaf_count: u32, index: u32, leaf: H256, path: &[H256]) -> Option<H256> {
	if path_len(leaf_count, index) != Some(path.len()) {
		return None;
	}
	let mut siblings = path.iter();
	let mut hash = leaf;
	for (_, beside) in climb(leaf_count, index) {
		if beside == Beside::Nothing {
			continue;
		}
		let sibling = siblings.next()?;
		hash = match beside {
			Beside::Left => node_hash(sibling, &hash),
			_ => node_hash(&hash, sibling),
		};
	}
	Some(hash)
}

/// Of a path, the hashes that stand to the left: those of complete subtrees, lowest first. They cover
/// exactly the leaves before `index`. `None` for a path of another length.
pub fn left_siblings(leaf_count: u32, index: u32, path: &[H256]) -> Option<Vec<H256>> {
	if path_len(leaf_count, index) != Some(path.len()) {
		return None;
	}
	let beside = climb(leaf_count, index).filter(|(_, beside)| *beside != Beside::Nothing);
	let lefts = beside.zip(path).filter(|((_, beside), _)| *beside == Beside::Left);
	Some(lefts.map(|(_, hash)| *hash).collect())
}

/// The leaves of a tree that grows, as the hashes of the complete subtrees that cover them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
	/// Each with its level, the highest first.
	subtrees: Vec<(u32, H256)>,
}

impl Frontier {
	/// Adds a leaf by its [`leaf_hash`].
	pub fn push(&mut self, leaf: H256) {
		let (mut level, mut hash) = (0u32, leaf);
		while let Some((_, left)) = self.subtrees.pop_if(|(other, _)| *other == level) {
			hash = node_hash(&left, &hash);
			level = level.saturating_add(1);
		}
		self.subtrees.push((level, hash));
	}

	/// The [`left_siblings`] of the next leaf.
	pub fn lefts(&self) -> Vec<H256> {
		self.subtrees.iter().rev().map(|(_, hash)| *hash).collect()
	}
}

/// A built tree: every level's hashes, about 64 bytes for each leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
	/// Leaf hashes first, the root's level last; no level is empty.
	levels: Vec<Vec<H256>>,
	root: H256,
	leaf_count: u32,
}

impl Tree {
	/// The tree over `leaves` in their order. `None` without leaves (an empty list has no root)
	/// or with more than `u32::MAX` of them.
	pub fn new<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Option<Self> {
		Self::from_hashes(leaves.into_iter().map(|leaf| leaf_hash(leaf.as_ref())).collect())
	}

	/// The tree over leaves whose [`leaf_hash`]es the caller computed.
	pub fn from_hashes(hashes: Vec<H256>) -> Option<Self> {
		let mut levels = Vec::new();
		let mut level = hashes;
		while level.len() > 1 {
			let next = parents(&level);
			levels.push(level);
			level = next;
		}
		levels.push(level);
		Self::from_levels(levels)
	}

	/// The tree of these levels: the [`leaf_hash`]es of all leaves, then, level by level, the [`parents`]
	/// of the one before, up to the root alone. `None` where a level has another length than that.
	///
	/// The hashes are taken as they are. Whoever calls this has computed them, and could sign any root
	/// anyway: nothing under a wrong one passes [`verify`].
	pub fn from_levels(levels: Vec<Vec<H256>>) -> Option<Self> {
		let leaf_count = u32::try_from(levels.first()?.len()).ok()?;
		let root = match levels.last()?.as_slice() {
			[root] => *root,
			_ => return None,
		};
		let mut above = levels.iter().skip(1);
		let has_shape = levels.iter().all(|level| match above.next() {
			Some(next) => level.len() > 1 && next.len() == level.len().div_ceil(2),
			None => level.len() == 1,
		});
		has_shape.then_some(Self { levels, root, leaf_count })
	}

	/// The root.
	pub fn root(&self) -> H256 {
		self.root
	}

	/// The number of leaves, at least one.
	pub fn leaf_count(&self) -> u32 {
		self.leaf_count
	}

	/// The path of leaf `index`, for [`verify`]; `None` when the tree has no such leaf.
	pub fn prove(&self, index: u32) -> Option<Path> {
		if index >= self.leaf_count {
			return None;
		}
		let mut path = Path::new();
		for (level, (at, beside)) in self.levels.iter().zip(climb(self.leaf_count, index)) {
			let sibling = match beside {
				Beside::Left => at.checked_sub(1)?,
				Beside::Right => at.checked_add(1)?,
				Beside::Nothing => continue,
			};
			path.try_push(*level.get(usize::try_from(sibling).ok()?)?).ok()?;
		}
		Some(path)
	}
}

/// The root over `leaves`; `None` without leaves. Holds one level at a time.
pub fn root<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Option<H256> {
	let mut level: Vec<H256> = leaves.into_iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
	while level.len() > 1 {
		level = parents(&level);
	}
	level.first().copied()
}

/// The level above `level`. That may come in parts, whose results are put one behind the other: each part
/// but the last must have an even length.
pub fn parents(level: &[H256]) -> Vec<H256> {
	// Not collected: that would reserve twice as much while it grows.
	let mut above = Vec::with_capacity(level.len().div_ceil(2));
	above.extend(level.chunks(2).filter_map(|pair| match pair {
		[left, right] => Some(node_hash(left, right)),
		[alone] => Some(*alone),
		_ => None,
	}));
	above
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn leaves(count: u32) -> Vec<[u8; 4]> {
		(0..count).map(|i| i.to_le_bytes()).collect()
	}

	/// The same tree by its recursive definition: split at the largest power of two below the
	/// length.
	fn recursive(hashes: &[H256]) -> H256 {
		match hashes {
			[one] => *one,
			many => {
				let half = many.len().next_power_of_two() / 2;
				let (left, right) = many.split_at(half);
				node_hash(&recursive(left), &recursive(right))
			},
		}
	}

	#[test]
	fn root_should_match_the_recursive_definition() {
		for count in 1..70 {
			let leaves = leaves(count);
			let hashes: Vec<_> = leaves.iter().map(|l| leaf_hash(l)).collect();
			assert_eq!(root(&leaves), Some(recursive(&hashes)));
			assert_eq!(Tree::new(&leaves).unwrap().root(), recursive(&hashes));
		}
	}

	/// The levels over so many leaves.
	fn levels(count: u32) -> Vec<Vec<H256>> {
		let mut levels = vec![leaves(count).iter().map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>()];
		while let Some(level) = levels.last().filter(|level| level.len() > 1) {
			let above = parents(level);
			levels.push(above);
		}
		levels
	}

	#[test]
	fn tree_of_levels_should_be_the_tree_of_their_leaves() {
		for count in 1..70 {
			assert_eq!(Tree::from_levels(levels(count)), Tree::new(leaves(count)), "{count}");
		}
	}

	#[test]
	fn levels_of_another_shape_should_be_no_tree() {
		assert_eq!(Tree::from_levels(Vec::new()), None);
		assert_eq!(Tree::from_levels(vec![Vec::new()]), None);
		for count in 1..20 {
			let right = levels(count);
			let change = |edit: &dyn Fn(&mut Vec<Vec<H256>>)| {
				let mut changed = right.clone();
				edit(&mut changed);
				assert_eq!(Tree::from_levels(changed), None, "{count}");
			};
			change(&|levels| levels.push(vec![H256::zero()]));
			// With a leaf more or less there may be as many parents.
			change(&|levels| levels[0].extend([H256::zero(); 2]));
			change(&|levels| levels[0].truncate((count as usize).saturating_sub(2)));
			for level in 1..right.len() {
				change(&|levels| drop(levels.remove(level)));
				change(&|levels| levels[level].truncate(right[level].len() - 1));
				change(&|levels| levels[level].push(H256::zero()));
			}
		}
	}

	#[test]
	fn parents_of_even_parts_should_be_those_of_the_whole() {
		for count in 1..40usize {
			let level = levels(40)[0][..count].to_vec();
			for part in (2..=count + 2).step_by(2) {
				let parts: Vec<_> = level.chunks(part).flat_map(parents).collect();
				assert_eq!(parts, parents(&level), "{count} by {part}");
			}
			assert_eq!(parents(&level).capacity(), count.div_ceil(2));
		}
		assert!(parents(&[]).is_empty());
	}

	#[test]
	fn hashes_should_be_separated_by_their_first_byte() {
		let (a, b) = (H256([1; 32]), H256([2; 32]));
		let mut node = vec![1u8];
		node.extend_from_slice(a.as_bytes());
		node.extend_from_slice(b.as_bytes());
		assert_eq!(node_hash(&a, &b).0, sp_io::hashing::blake2_256(&node));
		assert_eq!(leaf_hash(b"x").0, sp_io::hashing::blake2_256(b"\0x"));
		assert_ne!(leaf_hash(&node[1..]), node_hash(&a, &b));
	}

	#[test]
	fn root_should_be_absent_when_there_are_no_leaves() {
		assert_eq!(root(leaves(0)), None);
		assert_eq!(Tree::new(leaves(0)), None);
		assert_eq!(path_len(0, 0), None);
		assert!(!verify(&H256::zero(), 0, 0, b"", &[]));
	}

	#[test]
	fn root_should_change_when_the_last_leaf_is_repeated() {
		let mut three = leaves(3);
		let before = root(&three);
		three.push(three[2]);
		assert_ne!(before, root(&three));
	}

	#[test]
	fn path_len_should_be_exact_at_the_extremes() {
		assert_eq!(path_len(1, 0), Some(0));
		assert_eq!(path_len(2, 1), Some(1));
		assert_eq!(path_len(u32::MAX, 0), Some(32));
		assert_eq!(path_len(u32::MAX, u32::MAX), None);
		// The last leaf of 2^k + 1 hangs straight below the root.
		assert_eq!(path_len((1 << 20) + 1, 1 << 20), Some(1));
	}

	#[test]
	fn verify_should_refuse_when_the_path_has_another_length() {
		let leaves = leaves(5);
		let tree = Tree::new(&leaves).unwrap();
		let path = tree.prove(2).unwrap().into_inner();
		assert!(verify(&tree.root(), 5, 2, &leaves[2], &path));
		let mut long = path.clone();
		long.push(H256::zero());
		assert!(!verify(&tree.root(), 5, 2, &leaves[2], &long));
		assert!(!verify(&tree.root(), 5, 2, &leaves[2], &path[..path.len() - 1]));
		// An inner node is no leaf, in no shorter tree either.
		let inner = node_hash(&leaf_hash(&leaves[2]), &leaf_hash(&leaves[3]));
		let mut bytes = leaf_hash(&leaves[2]).0.to_vec();
		bytes.extend_from_slice(leaf_hash(&leaves[3]).as_bytes());
		assert!(!verify(&tree.root(), 3, 1, &bytes, &path[1..]));
		assert!(!verify(&tree.root(), 3, 1, inner.as_bytes(), &path[1..]));
	}

	proptest! {
		#[test]
		fn proof_should_verify_for_its_leaf_alone(
			count in 1u32..200, index in any::<u32>(), other in any::<u32>(), flip in any::<u16>(),
		) {
			let (index, other) = (index % count, other % count);
			let leaves = leaves(count);
			let tree = Tree::new(&leaves).unwrap();
			prop_assert_eq!(tree.leaf_count(), count);
			let path = tree.prove(index).unwrap().into_inner();
			prop_assert_eq!(Some(path.len()), path_len(count, index));
			let leaf = &leaves[index as usize];
			prop_assert!(verify(&tree.root(), count, index, leaf, &path));
			if other != index {
				prop_assert!(!verify(&tree.root(), count, other, leaf, &path));
				prop_assert!(!verify(&tree.root(), count, index, &leaves[other as usize], &path));
			}
			let mut root = tree.root();
			root.0[usize::from(flip) % 32] ^= 1;
			prop_assert!(!verify(&root, count, index, leaf, &path));
			if !path.is_empty() {
				let mut bent = path.clone();
				let at = usize::from(flip) % bent.len();
				bent[at].0[3] ^= 0x10;
				prop_assert!(!verify(&tree.root(), count, index, leaf, &bent));
			}
			prop_assert_eq!(tree.prove(count), None);
		}

		#[test]
		fn verify_should_be_total(
			root in any::<[u8; 32]>(), count in any::<u32>(), index in any::<u32>(),
			leaf in proptest::collection::vec(any::<u8>(), 0..100),
			path in proptest::collection::vec(any::<[u8; 32]>(), 0..40),
		) {
			let path: Vec<H256> = path.into_iter().map(H256).collect();
			prop_assert!(!verify(&H256(root), count, index, &leaf, &path));
		}
	}
}
