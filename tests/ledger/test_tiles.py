import pytest
from hypothesis import given, settings, strategies as st

from key2xs.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    leaf_hashes,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from key2xs.ledger.tiles import (
    FULL_WIDTH,
    TileError,
    TileId,
    TreeEdge,
    all_tiles,
    consistency_proof,
    consistency_tiles,
    edge_tiles,
    entries_path,
    inclusion_proof,
    inclusion_tiles,
    root_at,
    root_tiles,
    tile_at,
    tile_number,
)

BIG = 70_000
HASHES = leaf_hashes(n.to_bytes(4) for n in range(BIG))
Store = dict[tuple[int, int], bytes]


def store_after(batches: list[int]) -> tuple[TreeEdge, Store]:
    """Play a sequencer: append batch by batch, keep the widest row of every tile."""
    edge, store, at = TreeEdge.empty(), Store(), 0
    for batch in batches:
        extension = edge.extend(HASHES[at : at + batch])
        at += batch
        edge = extension.edge
        for tile in extension.tiles:
            before = store.get((tile.level, tile.n), b"")
            assert tile.hashes.startswith(before), "a stored tile may only grow"
            store[tile.level, tile.n] = tile.hashes
    return edge, store


@pytest.fixture(scope="module")
def big() -> tuple[TreeEdge, Store]:
    return store_after([BIG])


def read_only(store: Store, tiles: tuple[TileId, ...]) -> Store:
    """What a reader holds who fetched exactly these tiles, at exactly these widths."""
    return {(tile.level, tile.n): store[tile.level, tile.n][: tile.width * HASH_BYTES] for tile in tiles}


def test_the_paths_of_the_specification_come_out() -> None:
    assert tile_number(1_234_067) == "x001/x234/067"
    assert tile_number(0) == "000"
    assert tile_number(999) == "999"
    assert tile_number(1000) == "x001/000"
    assert TileId(0, 273, 112).path == "tile/0/273.p/112"
    assert TileId(1, 0, 256).path == "tile/1/000"
    assert entries_path(1_234_067, 5) == "tile/entries/x001/x234/067.p/5"


def test_seventy_thousand_entries_make_the_tiles_that_the_specification_counts(
    big: tuple[TreeEdge, Store],
) -> None:
    tiles = all_tiles(BIG)
    full = [sum(tile.level == level and tile.width == FULL_WIDTH for tile in tiles) for level in range(3)]
    assert full == [273, 1, 0]
    assert edge_tiles(BIG) == (TileId(0, 273, 112), TileId(1, 1, 17), TileId(2, 0, 1))
    assert {(t.level, t.n): t.width for t in tiles} == {
        place: len(hashes) // HASH_BYTES for place, hashes in big[1].items()
    }


def test_256_entries_are_a_full_tile_and_one_hash_above() -> None:
    assert all_tiles(256) == (TileId(0, 0, 256), TileId(1, 0, 1))
    assert edge_tiles(256) == (TileId(1, 0, 1),)
    assert all_tiles(0) == ()


@given(st.lists(st.one_of(st.integers(0, 3), st.integers(200, 600)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_however_entries_are_batched_tiles_edge_and_root_are_the_same(batches: list[int]) -> None:
    edge, store = store_after(batches)
    size = sum(batches)
    assert (edge, store) == store_after([size]) or size == 0
    assert edge.root() == root_of(HASHES[:size])
    assert edge.frontier().size == size
    assert {place: len(row) // HASH_BYTES for place, row in store.items()} == {
        (tile.level, tile.n): tile.width for tile in all_tiles(size)
    }
    assert TreeEdge.load(size, read_only(store, edge_tiles(size))) == edge


def test_a_sequencer_that_restarts_from_stored_tiles_goes_on_as_if_it_had_not_stopped() -> None:
    edge, store = store_after([65_700])
    restarted = TreeEdge.load(65_700, read_only(store, edge_tiles(65_700)))
    assert restarted.extend(HASHES[65_700:]) == edge.extend(HASHES[65_700:])
    assert restarted.extend(HASHES[65_700:]).edge.root() == root_of(HASHES)


@given(st.integers(1, BIG), st.data())
@settings(max_examples=150, deadline=None)
def test_proofs_come_out_of_exactly_the_tiles_that_were_listed(size: int, data: st.DataObject) -> None:
    store = _big_store()
    root = root_at(size, read_only(store, root_tiles(size)))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, read_only(store, inclusion_tiles(index, size)))
    assert verify_inclusion(HASHES[index], index, size, proof, root)
    old = data.draw(st.integers(0, size))
    old_root = root_at(old, read_only(store, root_tiles(old)))
    proof = consistency_proof(old, size, read_only(store, consistency_tiles(old, size)))
    assert verify_consistency(old, size, proof, old_root=old_root, new_root=root)


_kept: list[Store] = []


def _big_store() -> Store:
    if not _kept:
        _kept.append(store_after([BIG])[1])
    return _kept[0]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, BIG])
def test_the_root_at_an_earlier_size_is_read_from_wider_tiles(size: int) -> None:
    assert root_at(size, _big_store()) == root_of(HASHES[:size])


def test_the_empty_tree_has_its_root_and_needs_no_tiles() -> None:
    assert root_tiles(0) == ()
    assert root_at(0, {}) == EMPTY_ROOT == TreeEdge.empty().root()


def test_a_missing_or_short_tile_is_named() -> None:
    with pytest.raises(TileError, match="0/0 was not read"):
        inclusion_proof(3, 10, {})
    with pytest.raises(TileError, match="0/0 holds 2 hashes"):
        inclusion_proof(3, 10, {(0, 0): bytes(2 * HASH_BYTES)})
    with pytest.raises(TileError):
        TreeEdge.load(5, {(0, 0): bytes(4 * HASH_BYTES)})


@pytest.mark.parametrize(("level", "n", "size"), [(0, 1, 256), (0, -1, 10), (1, 0, 255), (64, 0, 2**70)])
def test_tiles_that_a_log_does_not_have_are_refused(level: int, n: int, size: int) -> None:
    with pytest.raises(TileError):
        tile_at(level, n, size)


def test_a_tile_is_one_to_256_hashes_wide() -> None:
    assert TileId(0, 0, 256).path == "tile/0/000"
    for width in (0, 257):
        with pytest.raises(TileError):
            _ = TileId(0, 0, width).path
    with pytest.raises(TileError):
        tile_number(-1)


def test_appending_nothing_stores_nothing() -> None:
    edge, _ = store_after([300])
    extension = edge.extend([])
    assert extension.tiles == ()
    assert extension.edge.root() == edge.root()
