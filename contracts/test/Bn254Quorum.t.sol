// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Bn254Quorum} from "../src/Bn254Quorum.sol";
import {IAttestation} from "../src/interfaces/IAttestation.sol";
import {IBn254Quorum} from "../src/interfaces/IBn254Quorum.sol";
import {ICheckpointAnchor} from "../src/interfaces/ICheckpointAnchor.sol";
import {IQuorumVerifier} from "../src/interfaces/IQuorumVerifier.sol";
import {Bn254} from "../src/libraries/Bn254.sol";
import {Statements} from "../src/Statements.sol";
import {vm} from "./Kit.sol";
import {World} from "./World.sol";

/// @notice As {Bn254Quorum}, but it believes whoever registers a key: careless.
contract Credulous is Bn254Quorum {
    mapping(address account => Bn254.G1) private _believed;

    function believe(Bn254.G1 calldata key) external {
        _believed[msg.sender] = key;
    }

    function verifySum(bytes32 digest, address[] calldata signers, Bn254.G1 calldata signature, Bn254.G2 calldata twin)
        external
        view
        returns (bool)
    {
        Bn254.G1 memory sum;
        for (uint256 i = 0; i < signers.length; ++i) sum = Bn254.add(sum, _believed[signers[i]]);
        return Bn254.isSignedBy(pointOf(digest), signature, sum, twin, VOTE_DOMAIN);
    }
}

/// @dev Validator i of the table has the number that is its key: 1, 2, 3, ... Sums of them are in the vectors.
contract Bn254QuorumTest is World {
    bytes32 private constant DIGEST = keccak256("digest");

    Bn254Quorum private _verifier;
    string private _json;

    function setUp() public {
        _json = vm.readFile("../tests/vectors/bn254.json");
        _verifier = new Bn254Quorum();
        _build(_verifier);
        for (uint256 i = 0; i < 4; ++i) _register(vm.addr(keys[i]), i + 1);
    }

    // -- points

    function test_points_areThoseOfPython() public view {
        for (uint256 i = 0; i < 8; ++i) {
            bytes32 message = bytes32((i + 1) * 0x0101010101010101010101010101010101010101010101010101010101010101);
            vm.assertEq(abi.encode(_verifier.pointOf(message)), _hex(".points", i));
            Bn254.G1 memory other = Bn254.hashToCurve(_verifier.POSSESSION_DOMAIN(), message);
            vm.assertEq(abi.encode(other), _hex(".possession_points", i));
            vm.assertEq(abi.encode(_sign(message, 1)), _hex(".signatures", i));
        }
    }

    function test_points_areSeparatedByDomain(bytes32 message) public view {
        Bn254.G1 memory vote = _verifier.pointOf(message);
        Bn254.G1 memory possession = Bn254.hashToCurve(_verifier.POSSESSION_DOMAIN(), message);
        vm.assertTrue(vote.x != possession.x, "domains");
        vm.assertTrue(vote.x != _verifier.pointOf(keccak256(abi.encode(message))).x, "messages");
        vm.assertEq(mulmod(vote.y, vote.y, Bn254.P), addmod(mulmod(mulmod(vote.x, vote.x, Bn254.P), vote.x, Bn254.P), 3, Bn254.P));
        vm.assertEq(vote.y % 2, 0);
    }

    // -- register

    function test_register_takesAProvenKey() public {
        address account = vm.parseJsonAddress(_json, ".account");
        address where = vm.parseJsonAddress(_json, ".contract");
        vm.etch(where, address(_verifier).code);
        vm.chainId(vm.parseJsonUint(_json, ".chain_id"));
        Bn254.G1 memory proof = abi.decode(vm.parseJsonBytes(_json, ".possession"), (Bn254.G1));
        (Bn254.G1 memory key, Bn254.G2 memory twin) = (_key(7), _twin(7));
        vm.prank(account);
        Bn254Quorum(where).register(key, twin, proof);
        vm.assertEq(abi.encode(Bn254Quorum(where).keyOf(account)), _hex(".keys", 6));
    }

    function test_register_onceOnly() public {
        address account = vm.addr(keys[0]);
        (Bn254.G1 memory key, Bn254.G1 memory proof) = (_key(9), _possession(account, 9));
        Bn254.G2 memory twin = _twin(9);
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(IBn254Quorum.AlreadyKeyed.selector, account));
        _verifier.register(key, twin, proof);
    }

    function test_register_proofsAreBound() public {
        address account = _name("account");
        Bn254.G1 memory foreign = _possession(_name("other"), 9);
        _expectRefused(account, _key(9), _twin(9), foreign);
        uint256 chain = vm.getChainId();
        vm.chainId(999);
        foreign = _possession(account, 9);
        vm.chainId(chain);
        _expectRefused(account, _key(9), _twin(9), foreign);
        foreign = Bn254.mul(new Bn254Quorum().possessionOf(account, _key(9)), 9);
        _expectRefused(account, _key(9), _twin(9), foreign);
        _register(account, 9);
    }

    function test_register_halvesAreOfOneKey() public {
        address account = _name("account");
        _expectRefused(account, _key(9), _twin(10), _possession(account, 9));
        Bn254.G1 memory point = _verifier.possessionOf(account, _key(9));
        _expectRefused(account, _key(9), _twin(10), Bn254.mul(point, 10));
    }

    function test_register_zeroIsNoKey() public {
        Bn254.G1 memory zero;
        Bn254.G2 memory twin;
        _expectRefused(_name("account"), zero, twin, zero);
    }

    function test_register_pointsAreOnTheCurve() public {
        address account = _name("account");
        Bn254.G1 memory proof = _possession(account, 9);
        Bn254.G2 memory twin = _twin(9);
        Bn254.G1 memory key = _key(9);
        Bn254.G1 memory off = Bn254.G1(key.x, key.y + 1);
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(Bn254.PrecompileFailed.selector, 7));
        _verifier.register(off, twin, proof);
        twin.xReal += 1;
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(Bn254.PrecompileFailed.selector, 8));
        _verifier.register(key, twin, proof);
    }

    // -- rogue keys: the attacker knows 7 and the victim's public key; it names 7 g1 less the victim's.

    function test_rogueKey_signsForTwoWhereNobodyProves() public {
        Credulous careless = new Credulous();
        address[] memory both = new address[](2);
        both[0] = _name("victim");
        both[1] = _name("attacker");
        (Bn254.G1 memory victims, Bn254.G1 memory rogue) = (_key(20), _rogue());
        vm.prank(both[0]);
        careless.believe(victims);
        vm.prank(both[1]);
        careless.believe(rogue);
        vm.assertTrue(careless.verifySum(DIGEST, both, _sign(DIGEST, 7), _twin(7)), "the attack works");
    }

    function test_rogueKey_isRefused() public {
        address attacker = _name("attacker");
        Bn254.G1 memory rogue = _rogue();
        Bn254.G1 memory point = _verifier.possessionOf(attacker, rogue);
        // All that it can sign are multiples of the point by numbers that it knows, and of what the victim signed.
        _expectRefused(attacker, rogue, _twin(7), Bn254.mul(point, 7));
        _expectRefused(attacker, rogue, _twin(20), Bn254.mul(point, 7));
        Bn254.G1 memory victims = Bn254.mul(_verifier.possessionOf(_name("victim"), _key(20)), 20);
        Bn254.G1 memory mixed = Bn254.add(Bn254.mul(point, 7), Bn254.minus(victims));
        _expectRefused(attacker, rogue, _twin(7), mixed);
        Bn254.G1 memory none;
        vm.assertEq(abi.encode(_verifier.keyOf(attacker)), abi.encode(none));
    }

    // -- gather

    function test_gather_needsAllKeys() public {
        table.push(uint256(uint160(address(this))) << 96 | 1);
        vm.expectRevert(abi.encodeWithSelector(IBn254Quorum.NoKey.selector, address(this)));
        _verifier.gather(table);
    }

    function test_gather_changesNoQuorum(uint8 which) public {
        uint256 signers = uint256(which) % 15 + 1;
        bytes memory proof = _proofOf(DIGEST, signers);
        (uint256 weight,) = _verifier.verify(DIGEST, table, signers, proof);
        vm.assertTrue(!_verifier.isGathered(table), "not yet");
        _verifier.gather(table);
        vm.assertTrue(_verifier.isGathered(table), "gathered");
        (uint256 again,) = _verifier.verify(DIGEST, table, signers, proof);
        vm.assertEq(weight, again);
        uint256 other = signers ^ 15;
        if (other == 0 || _sum(other) == _sum(signers)) return;
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, other, proof);
    }

    // -- verify

    function test_verify_weighsTheSigners(uint8 which) public view {
        uint256 signers = uint256(which) % 15 + 1;
        (uint256 weight, bytes32[] memory votes) = _verifier.verify(DIGEST, table, signers, _proofOf(DIGEST, signers));
        uint256 count;
        for (uint256 i = 0; i < 4; ++i) count += signers >> i & 1;
        vm.assertEq(weight, count * WEIGHT);
        vm.assertEq(votes.length, 0);
    }

    function test_verify_refusesWhatIsNotSigned() public {
        bytes memory proof = _proofOf(DIGEST, 3);
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(keccak256("other"), table, 3, proof);
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, 7, proof);
        // 3 + 4 = 7 is not 1 + 2; a twin that fits the signature but not the signers is no help.
        bytes memory others = _proofOf(DIGEST, 12);
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, 3, others);
        bytes memory mixed = abi.encode(_sign(DIGEST, 3), _twin(7));
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, 3, mixed);
    }

    function test_verify_signersAreOfTheTable() public {
        bytes memory proof = _proofOf(DIGEST, 1);
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.NotInTable.selector, 17, 4));
        _verifier.verify(DIGEST, table, 17, proof);
    }

    function test_verify_proofsHaveOneLength() public {
        bytes memory proof = bytes.concat(_proofOf(DIGEST, 1), hex"00");
        vm.expectRevert(abi.encodeWithSelector(IQuorumVerifier.BadProof.selector, 193, 192));
        _verifier.verify(DIGEST, table, 1, proof);
    }

    function test_verify_nobodyIsNoQuorum() public {
        Bn254.G1 memory none;
        Bn254.G2 memory twin;
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, 0, abi.encode(none, twin));
    }

    function test_verify_signersHaveKeys() public {
        table.push(uint256(uint160(address(this))) << 96 | 1);
        bytes memory proof = _proofOf(DIGEST, 3);
        vm.expectRevert(abi.encodeWithSelector(IBn254Quorum.NoKey.selector, address(this)));
        _verifier.verify(DIGEST, table, 19, proof);
        _verifier.verify(DIGEST, table, 3, proof);
    }

    function test_verify_possessionIsNoVote() public {
        Bn254.G1 memory shown = Bn254.mul(Bn254.hashToCurve(_verifier.POSSESSION_DOMAIN(), DIGEST), 1);
        vm.expectRevert(IBn254Quorum.BadSignature.selector);
        _verifier.verify(DIGEST, table, 1, abi.encode(shown, _twin(1)));
    }

    function test_verify_emptyAnswersAreNone() public {
        bytes memory proof = _proofOf(DIGEST, 3);
        for (uint160 precompile = 5; precompile <= 8; ++precompile) {
            uint256 before = vm.snapshotState();
            vm.mockCall(address(precompile), "", "");
            vm.expectRevert(abi.encodeWithSelector(Bn254.PrecompileFailed.selector, uint256(precompile)));
            _verifier.verify(DIGEST, table, 3, proof);
            vm.clearMockedCalls();
            vm.assertTrue(vm.revertToState(before), "back");
            _verifier.verify(DIGEST, table, 3, proof);
        }
    }

    function test_verify_costsTheSameForAll() public {
        uint256[] memory large = new uint256[](8);
        for (uint256 i = 0; i < 8; ++i) {
            address account = vm.addr(100 + i);
            _register(account, i + 1);
            large[i] = uint256(uint160(account)) << 96 | WEIGHT;
        }
        _verifier.gather(large);
        bytes memory proof = _proofOf(DIGEST, 255);
        uint256 left = gasleft();
        _verifier.verify(DIGEST, large, 255, proof);
        _atMostGas(left - gasleft(), 160_000);
    }

    // -- attestation

    function test_attestation_byOneProof() public {
        bytes32 key = _open(_checkpoint(1, 0));
        _pass(COMMIT);
        bytes32 digest = Statements.digest(_statement(1, key), address(subnets));
        attestation.reveal(SUBNET, EPOCH, 1, key, table, 7, _proofOf(digest, 7));
        _pass(CHALLENGE + 1);
        anchor.finalise(SUBNET, key);
        vm.assertEq(anchor.finalKey(SUBNET), key);
    }

    function test_attestation_onceAHeight() public {
        bytes32 key = _open(_checkpoint(1, 0));
        ICheckpointAnchor.Checkpoint memory it = _checkpoint(1, 0);
        it.paramsDigest = "other";
        bytes32 other = _open(it);
        _pass(COMMIT);
        bytes32 digest = Statements.digest(_statement(1, key), address(subnets));
        attestation.reveal(SUBNET, EPOCH, 1, key, table, 3, _proofOf(digest, 3));
        bytes memory again = _proofOf(Statements.digest(_statement(1, other), address(subnets)), 6);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.VotedAlready.selector, SUBNET, 1, 2));
        attestation.reveal(SUBNET, EPOCH, 1, other, table, 6, again);
    }

    // -- helpers

    function _rogue() private view returns (Bn254.G1 memory) {
        return Bn254.add(_key(7), Bn254.minus(_key(20)));
    }

    function _expectRefused(address account, Bn254.G1 memory key, Bn254.G2 memory twin, Bn254.G1 memory proof) private {
        vm.prank(account);
        vm.expectRevert(abi.encodeWithSelector(IBn254Quorum.BadPossession.selector, account));
        _verifier.register(key, twin, proof);
    }

    function _register(address account, uint256 number) private {
        // Every call to a precompile is a call, and would use the prank up.
        (Bn254.G1 memory key, Bn254.G1 memory proof) = (_key(number), _possession(account, number));
        Bn254.G2 memory twin = _twin(number);
        vm.prank(account);
        _verifier.register(key, twin, proof);
    }

    function _possession(address account, uint256 number) private view returns (Bn254.G1 memory) {
        return Bn254.mul(_verifier.possessionOf(account, _key(number)), number);
    }

    function _sign(bytes32 digest, uint256 number) private view returns (Bn254.G1 memory) {
        return Bn254.mul(_verifier.pointOf(digest), number);
    }

    function _sum(uint256 signers) private pure returns (uint256 number) {
        for (uint256 i = 0; i < 8; ++i) number += (signers >> i & 1) * (i + 1);
    }

    function _proofOf(bytes32 digest, uint256 signers) private view returns (bytes memory) {
        return abi.encode(_sign(digest, _sum(signers)), _twin(_sum(signers)));
    }

    function _key(uint256 number) private view returns (Bn254.G1 memory) {
        return Bn254.mul(Bn254.generator(), number);
    }

    function _twin(uint256 number) private view returns (Bn254.G2 memory) {
        return abi.decode(_hex(".twins", number - 1), (Bn254.G2));
    }

    function _hex(string memory list, uint256 index) private view returns (bytes memory) {
        return vm.parseJsonBytes(_json, string.concat(list, "[", vm.toString(index), "]"));
    }
}
