import json
import re

import pytest

from contracts import build

pytestmark = pytest.mark.timeout(1800)  # all is compiled first, by a compiler in JavaScript


@pytest.fixture(scope="module")
def built():
    return build.build()


def test_the_committed_artifacts_are_what_the_sources_build_to(built):
    build.check(built)


def test_a_changed_artifact_is_named(built):
    other = {**built, "SubnetRegistry.json": built["SubnetRegistry.json"].replace(b"0x60", b"0x61", 1)}
    with pytest.raises(build.BuildError, match=r"differ from the sources: SubnetRegistry\.json"):
        build.check(other)


def test_artifacts_carry_compiler_and_source_hash_and_nothing_of_the_machine(built):
    assert sorted(built) == sorted(f"{name}.json" for name in build.CONTRACTS)
    for content in built.values():
        artifact = json.loads(content)
        assert re.fullmatch(r"solc 0\.8\.\d+", artifact["compiler"])
        assert re.fullmatch(r"[0-9a-f]{64}", artifact["source_sha256"])
        assert str(build.FOLDER).encode() not in content


def test_a_contract_is_built_of_its_own_sources_alone(built):
    own = ["src/TwoPMToken.sol", "src/interfaces/ITwoPMToken.sol"]
    libraries = ["@openzeppelin/contracts/token/ERC20/ERC20.sol"]
    assert json.loads(built["TwoPMToken.json"])["source_sha256"] == build.source_hash(own + libraries)
    assert build.source_hash(own) != build.source_hash(own[:1])


def test_the_lock_names_no_registry_host():
    lock = (build.FOLDER / "package-lock.json").read_text()
    assert "integrity" in lock
    assert '"resolved"' not in lock


def test_a_failing_compiler_is_told_in_its_own_words():
    with pytest.raises(build.BuildError, match="Cannot find module"):
        build._node(str(build.FOLDER / "no-such-script.js"))
