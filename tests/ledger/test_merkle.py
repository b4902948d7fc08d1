import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies as st
from pymerkle import InmemoryTree

from key2xs.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    ProofError,
    leaf_hash,
    leaf_hashes,
    node_hash,
    plan_consistency,
    plan_inclusion,
    plan_root,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def slow_root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = slow_split(len(hashes))
    return hashlib.sha256(b"\x01" + slow_root(hashes[:k]) + slow_root(hashes[k:])).digest()


def slow_split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def slow_path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, word by word."""
    if len(hashes) == 1:
        return []
    k = slow_split(len(hashes))
    if m < k:
        return [*slow_path(m, hashes[:k]), slow_root(hashes[k:])]
    return [*slow_path(m - k, hashes[k:]), slow_root(hashes[:k])]


def slow_subproof(m: int, hashes: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2, word by word."""
    if m == len(hashes):
        return [] if whole else [slow_root(hashes)]
    k = slow_split(len(hashes))
    if m <= k:
        return [*slow_subproof(m, hashes[:k], whole=whole), slow_root(hashes[k:])]
    return [*slow_subproof(m - k, hashes[k:], whole=False), slow_root(hashes[:k])]


def make_hashes(count: int) -> list[bytes]:
    return leaf_hashes(str(n).encode() for n in range(count))


class Nodes:
    """Every full node of a tree, by brute force."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.hashes = hashes

    def __call__(self, node: Node) -> bytes:
        low, high = node.place << node.level, (node.place + 1) << node.level
        assert high <= len(self.hashes), "asked for a node that is not full"
        return slow_root(self.hashes[low:high])


def test_the_published_vectors_hold() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"a").hex() == "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c"
    root = root_of(leaf_hashes([b"a", b"b", b"c"]))
    assert root.hex() == "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1"


def test_roots_agree_with_an_independent_tree_at_every_size() -> None:
    other = InmemoryTree(algorithm="sha256")
    hashes = make_hashes(70)
    for size in range(1, 71):
        other.append_entry(str(size - 1).encode())
        assert root_of(hashes[:size]) == other.get_root(size)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_however_a_log_is_cut_into_batches_its_frontier_and_root_are_the_same(batches: list[int]) -> None:
    hashes = make_hashes(sum(batches))
    frontier, at = Frontier.empty(), 0
    for batch in batches:
        frontier = frontier.append_many(hashes[at : at + batch])
        at += batch
        assert frontier.size == at
        assert frontier.root() == slow_root(hashes[:at])
    whole = Frontier.empty().append_many(hashes)
    assert frontier.root() == whole.root()
    assert [found for found in frontier.hashes if found] == [found for found in whole.hashes if found]


@given(st.integers(0, 70), st.integers(0, 70))
def test_every_node_that_becomes_full_is_told_once_and_is_right(old: int, more: int) -> None:
    hashes = make_hashes(old + more)
    told: dict[Node, bytes] = {}

    def on_nodes(level: int, first: int, found: Sequence[bytes]) -> None:
        for place, value in enumerate(found, first):
            assert Node(level, place) not in told
            told[Node(level, place)] = value

    Frontier.empty().append_many(hashes[:old]).append_many(hashes[old:], on_nodes=on_nodes)
    read = Nodes(hashes)
    full = {
        Node(level, place)
        for level in range(8)
        for place in range((old + more) >> level)
        if (place + 1) << level > old
    }
    assert told == {node: read(node) for node in full}


def test_every_inclusion_proof_up_to_size_40_is_the_one_of_the_rfc_and_verifies() -> None:
    hashes = make_hashes(40)
    for size in range(1, 41):
        root, read = slow_root(hashes[:size]), Nodes(hashes[:size])
        for index in range(size):
            proof = plan_inclusion(index, size).compute(read)
            assert proof == slow_path(index, hashes[:size])
            assert verify_inclusion(hashes[index], index, size, proof, root)


def test_every_consistency_proof_up_to_size_40_is_the_one_of_the_rfc_and_verifies() -> None:
    hashes = make_hashes(40)
    roots = [slow_root(hashes[:size]) for size in range(41)]
    for new in range(41):
        for old in range(new + 1):
            proof = plan_consistency(old, new).compute(Nodes(hashes[:new]))
            assert proof == (slow_subproof(old, hashes[:new], whole=True) if old else [])
            assert verify_consistency(old, new, proof, old_root=roots[old], new_root=roots[new])


@given(st.integers(1, 300), st.data())
@settings(max_examples=200)
def test_a_proof_with_any_flaw_is_refused(size: int, data: st.DataObject) -> None:
    hashes = make_hashes(size)
    index = data.draw(st.integers(0, size - 1))
    proof = plan_inclusion(index, size).compute(Nodes(hashes))
    root = slow_root(hashes)
    assert verify_inclusion(hashes[index], index, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    assert not verify_inclusion(hashes[index], index, size, [*proof, root], root)
    assert not verify_inclusion(hashes[index], index, size, proof, leaf_hash(b"other"))
    assert not verify_inclusion(hashes[index], size, size, proof, root)
    assert not verify_inclusion(hashes[index], -1, size, proof, root)
    if proof:
        flipped = data.draw(st.integers(0, len(proof) - 1))
        wrong = [leaf_hash(b"other") if place == flipped else found for place, found in enumerate(proof)]
        assert not verify_inclusion(hashes[index], index, size, wrong, root)
        assert not verify_inclusion(hashes[index], index, size, proof[1:], root)
    elsewhere = data.draw(st.integers(0, size - 1).filter(lambda other: other != index or size == 1))
    if elsewhere != index:
        assert not verify_inclusion(hashes[index], elsewhere, size, proof, root)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
@settings(max_examples=200)
def test_a_rewritten_past_has_no_consistency_proof(old: int, more: int, data: st.DataObject) -> None:
    hashes = make_hashes(old + more)
    old_root = slow_root(hashes[:old])
    rewritten = [*hashes]
    rewritten[data.draw(st.integers(0, old - 1))] = leaf_hash(b"other")
    proof = plan_consistency(old, old + more).compute(Nodes(rewritten))
    assert not verify_consistency(old, old + more, proof, old_root=old_root, new_root=slow_root(rewritten))


def test_a_flawed_consistency_proof_is_refused() -> None:
    hashes = make_hashes(20)
    old_root, new_root = slow_root(hashes[:7]), slow_root(hashes)
    proof = plan_consistency(7, 20).compute(Nodes(hashes))
    assert verify_consistency(7, 20, proof, old_root=old_root, new_root=new_root)
    for place in range(len(proof)):
        wrong = [*proof]
        wrong[place] = leaf_hash(b"other")
        assert not verify_consistency(7, 20, wrong, old_root=old_root, new_root=new_root)
    assert not verify_consistency(7, 20, proof[:-1], old_root=old_root, new_root=new_root)
    assert not verify_consistency(7, 20, [*proof, old_root], old_root=old_root, new_root=new_root)
    assert not verify_consistency(8, 20, proof, old_root=old_root, new_root=new_root)
    assert not verify_consistency(20, 7, proof, old_root=new_root, new_root=old_root)
    assert not verify_consistency(0, 20, proof, old_root=EMPTY_ROOT, new_root=new_root)
    assert not verify_consistency(0, 20, [], old_root=old_root, new_root=new_root)
    assert not verify_consistency(7, 7, [], old_root=old_root, new_root=new_root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_is_planned_for_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        plan_inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5)])
def test_no_proof_is_planned_from_a_larger_to_a_smaller_log(old: int, new: int) -> None:
    with pytest.raises(ProofError):
        plan_consistency(old, new)


def test_plans_name_only_full_nodes_even_in_very_large_logs() -> None:
    size = 2**40 + 12_345
    for plan in (plan_root(size), plan_inclusion(2**39 + 7, size), plan_consistency(2**40 - 3, size)):
        assert all((node.place + 1) << node.level <= size for node in plan.nodes)
    assert plan_root(0).nodes == ()


def test_left_and_right_are_not_interchangeable() -> None:
    one, two = make_hashes(2)
    assert node_hash(one, two) != node_hash(two, one)
