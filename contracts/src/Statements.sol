// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

// What an operator signs with its secp256k1 key, by EIP-712, because it can be slashed for it. One type for all kinds:
// an operator that makes two statements of one kind for one place, and they differ, has contradicted itself.

/// @dev value: the root over the update's chunk roots; place: the cell. (protocols/README.md, section 7, lists them.)
uint8 constant KIND_MANIFEST = 1;
/// @dev value: what the member votes for; place: view and phase, `view << 8 | phase`.
uint8 constant KIND_VOTE = 2;
/// @dev value: the cell set whose summed share the member releases; place: the cell.
uint8 constant KIND_RELEASE = 3;
/// @dev value: the checkpoint's key in {ICheckpointAnchor}; place: 0.
uint8 constant KIND_ATTESTATION = 4;
/// @dev value: {Statements.sumValue}; place: the cell.
uint8 constant KIND_AGGREGATE = 5;
/// @dev value: {Statements.stepValue}, what a step of a disputed computation leads to; place: `game << 32 | step`, so that
///      no two games ask one validator for one slot.
uint8 constant KIND_STEP = 6;
/// @dev value: {Statements.dealingValue}, what a contributor dealt to the committee; place: the cell.
uint8 constant KIND_DEALING = 7;

/// @param kind one of the constants above
/// @param subnetId the subnet
/// @param epoch the protocol's epoch; it follows from the height
/// @param height of the round
/// @param place what else tells apart the statements that one operator may make at one height
/// @param value what is stated
struct Statement {
    uint8 kind;
    uint256 subnetId;
    uint64 epoch;
    uint64 height;
    uint64 place;
    bytes32 value;
}

/// @title EIP-712 of {Statement}: domain name "2PM", version "1", this chain, the SubnetRegistry as verifying contract
/// @dev One domain for all contracts that share a registry, so that each of them can judge what an operator signed once.
library Statements {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant TYPEHASH = keccak256(
        "Statement(uint8 kind,uint256 subnetId,uint64 epoch,uint64 height,uint64 place,bytes32 value)"
    );
    bytes32 private constant NAME = keccak256("2PM");
    bytes32 private constant VERSION = keccak256("1");

    /// @notice The 32 bytes that are signed.
    function digest(Statement memory statement, address registry) internal view returns (bytes32) {
        bytes32 content = keccak256(abi.encode(TYPEHASH, statement));
        return keccak256(abi.encodePacked(hex"1901", domain(registry), content));
    }

    /// @notice The domain separator, computed each time: after a fork the chain has another id.
    function domain(address registry) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME, VERSION, block.chainid, registry));
    }

    /// @notice Who signed a statement; reverts with OpenZeppelin's ECDSA errors if nobody did (high s included).
    /// @param signature r and s with the parity in its highest bit (EIP-2098), 64 bytes in two words
    function signer(Statement memory statement, bytes32[2] memory signature, address registry)
        internal
        view
        returns (address)
    {
        return ECDSA.recover(digest(statement, registry), signature[0], signature[1]);
    }

    /// @notice Whether two statements are for one slot: the operator may make only one of them.
    function sameSlot(Statement memory one, Statement memory other) internal pure returns (bool) {
        return one.kind == other.kind && one.subnetId == other.subnetId && one.height == other.height
            && one.place == other.place;
    }

    /// @notice The value of an aggregate: "those chunks of the sum of the updates with these roots have this root".
    /// @param chunks how many chunks each update has
    /// @param roots of the contributors' updates, in the order of the certified set
    /// @param summed how many chunks the aggregator added: those of its stripes, ascending
    /// @param sumRoot the root over the roots of these summed chunks
    function sumValue(uint32 chunks, bytes32[] memory roots, uint32 summed, bytes32 sumRoot)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(chunks, roots, summed, sumRoot));
    }

    /// @notice The value of a step: "from this state this step leads to that one".
    /// @param task what the steps are of: hash of a checkpoint's key, the number of steps, the root over their states
    function stepValue(bytes32 task, bytes32 before, bytes32 result) internal pure returns (bytes32) {
        return keccak256(abi.encode(task, before, result));
    }

    /// @notice The value of a dealing: "these are the sealed shares, and their combinations lie on these polynomials".
    /// @param threshold of the committee
    /// @param challenge of the degree check (protocols/README.md, 9.3)
    /// @param shares SHA-256 of each member's sealed share
    /// @param degree the polynomials
    function dealingValue(uint8 threshold, bytes32 challenge, bytes32[] memory shares, bytes memory degree)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(threshold, challenge, shares, degree));
    }
}
