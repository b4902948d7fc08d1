import pytest

from key2xs.ledger.checkpoint import Checkpoint, sign_checkpoint
from key2xs.ledger.merkle import ProofError, leaf_hashes
from key2xs.ledger.note import NoteError, Signer
from key2xs.ledger.proofs import Proof, parse_proof, verify_proof, write_proof
from key2xs.ledger.tiles import TreeEdge, inclusion_proof

LOG = Signer.from_seed("key2xs.example/site", bytes(range(32)))
LEAVES = [f"entry {n}".encode() for n in range(300)]


def make_proof(index: int, size: int = 300, extra: bytes | None = None) -> Proof:
    extension = TreeEdge.empty().extend(leaf_hashes(LEAVES[:size]))
    stored = {(tile.level, tile.n): tile.hashes for tile in extension.tiles}
    head = Checkpoint(LOG.name, size, extension.edge.root())
    return Proof(index, tuple(inclusion_proof(index, size, stored)), sign_checkpoint(head, LOG), extra)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 299])
@pytest.mark.parametrize("extra", [None, b"", b"context"])
def test_a_proof_that_was_written_and_read_proves_its_entry(index: int, extra: bytes | None) -> None:
    proof = parse_proof(write_proof(make_proof(index, extra=extra)))
    assert proof.extra == extra
    assert verify_proof(proof, LEAVES[index], LOG.verifier).size == 300


def test_the_file_has_the_form_of_the_specification() -> None:
    lines = write_proof(make_proof(1, size=2, extra=b"x")).decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra eA==", "index 1"]
    assert lines[4:7] == ["", LOG.name, "2"]


def test_a_log_of_one_entry_needs_no_hashes() -> None:
    proof = parse_proof(write_proof(make_proof(0, size=1)))
    assert proof.hashes == ()
    assert verify_proof(proof, LEAVES[0], LOG.verifier).size == 1


def test_a_proof_proves_no_other_entry_and_no_other_place() -> None:
    proof = make_proof(7)
    with pytest.raises(ProofError):
        verify_proof(proof, LEAVES[8], LOG.verifier)
    moved = Proof(8, proof.hashes, proof.checkpoint)
    for leaf in (LEAVES[7], LEAVES[8]):
        with pytest.raises(ProofError):
            verify_proof(moved, leaf, LOG.verifier)
    with pytest.raises(ProofError):
        verify_proof(Proof(300, proof.hashes, proof.checkpoint), LEAVES[7], LOG.verifier)


def test_a_proof_under_a_checkpoint_of_someone_else_is_refused() -> None:
    stranger = Signer.from_seed(LOG.name, bytes(32))
    with pytest.raises(NoteError):
        verify_proof(make_proof(7), LEAVES[7], stranger.verifier)


GOOD = write_proof(make_proof(3, size=5))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"index 3\n", b""),
        GOOD.replace(b"index 3", b"index 03"),
        GOOD.replace(b"index 3", b"index -3"),
        GOOD.replace(b"index 3", b"extra !\nindex 3"),
        GOOD.replace(b"index 3\n", b"index 3\nAAAA\n"),
        GOOD.replace(b"index 3\n", b"index 3\n\xff\n"),
        GOOD.replace(b"index 3\n", b"index 3\n" + b"A" * 43 + b"=\n" * 65),
        GOOD.replace(b"\n\n", b"\n"),
    ],
)
def test_a_malformed_proof_is_refused(data: bytes) -> None:
    with pytest.raises((ProofError, NoteError)):
        verify_proof(parse_proof(data), LEAVES[3], LOG.verifier)
