import pytest

from contracts.devchain_ledger import RefusedError
from contracts.devchain_state import DevChainError, StateFile

BOB = b"\xbb" * 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.jsonl"


def run(path, chain_id=None):
    """A chain of three blocks, with one transaction in a block and one that still waits."""
    state = StateFile(path, chain_id)
    start = state.ledger.head.timestamp
    for second in range(1, 4):
        state.submit(state.ledger.drip(BOB, second))
        if second < 3:
            state.seal(start + second)
    state._file.close()
    return state.ledger


def test_a_restart_comes_to_the_same_chain(path):
    before = run(path)
    again = StateFile(path, None)
    assert again.ledger.head.hash == before.head.hash
    assert again.ledger.chain_id == before.chain_id
    assert again.ledger.balance(BOB) == 3
    again.seal(again.ledger.head.timestamp + 9)
    assert again.ledger.balance(BOB) == 6, "what waited when it stopped is in the next block"


def test_new_chains_differ(path, tmp_path):
    assert run(path).chain_id != run(tmp_path / "other").chain_id


def test_a_torn_last_line_is_cut_off(path):
    before = run(path).head.hash
    with path.open("ab") as file:
        file.write(b'{"block":17')
    again = StateFile(path, None)
    assert again.ledger.head.hash == before
    again.seal(again.ledger.head.timestamp + 1)
    again._file.close()
    assert StateFile(path, None).ledger.head.hash == again.ledger.head.hash


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"rubbish", b'{"tx":"00"}', b'{"block":1,"hash":""}'])
def test_damage_names_file_and_line(path, line):
    run(path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[3:], b""]))
    with pytest.raises(DevChainError, match=r"chain\.jsonl, line 3, is damaged"):
        StateFile(path, None)


def test_a_block_that_comes_out_differently_is_damage(path):
    run(path)
    path.write_bytes(path.read_bytes().replace(b'"hash":"', b'"hash":"00', 1))
    with pytest.raises(DevChainError, match="another hash"):
        StateFile(path, None)


def test_two_chains_do_not_share_a_file(path):
    first = StateFile(path, None)
    with pytest.raises(DevChainError, match="in use by another dev chain"):
        StateFile(path, None)
    first._file.close()


def test_the_chain_id_must_be_the_file_s(path):
    run(path, chain_id=77)
    with pytest.raises(DevChainError, match="holds chain 77, not 78"):
        StateFile(path, 78)


def test_an_unwritable_place_has_a_name(tmp_path):
    with pytest.raises(DevChainError, match="cannot be written"):
        StateFile(tmp_path / "missing" / "chain.jsonl", None)


def test_what_is_refused_is_not_logged(path):
    state = StateFile(path, None)
    with pytest.raises(RefusedError):
        state.submit(b"rubbish")
    state._file.close()
    assert len(path.read_bytes().splitlines()) == 1


def test_a_snapshot_that_does_not_come_out_is_damage(path):
    state = StateFile(path, None)
    assert state.snapshot() == 1
    state.seal(state.ledger.head.timestamp + 1)
    assert state.revert(1)
    assert not state.revert(1)
    state._file.close()
    StateFile(path, None)._file.close()
    path.write_bytes(path.read_bytes().replace(b'"revert":1', b'"revert":2'))
    with pytest.raises(DevChainError, match="snapshot 2 does not come out"):
        StateFile(path, None)
