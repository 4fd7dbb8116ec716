// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {ISlashingManager} from "./interfaces/ISlashingManager.sol";
import {IStakeSource} from "./interfaces/IStakeSource.sol";
import {ISubnetRegistry} from "./interfaces/ISubnetRegistry.sol";

/// @notice See {ISlashingManager}.
contract SlashingManager is ISlashingManager, AccessManaged {
    ISubnetRegistry public immutable SUBNETS;
    /// @inheritdoc ISlashingManager
    uint256 public immutable EPOCH_SECONDS;
    /// @inheritdoc ISlashingManager
    uint256 public immutable VETO_SECONDS;
    /// @notice The most that one operator loses for one epoch, of 1e18.
    uint64 public immutable CAP;

    mapping(bytes32 offence => Offence) private _offences;
    mapping(IStakeSource source => mapping(address operator => mapping(uint32 epoch => Sentence))) private _sentences;

    constructor(ISubnetRegistry subnets, uint256 epochSeconds, uint256 vetoSeconds, uint64 cap, address authority)
        AccessManaged(authority)
    {
        SUBNETS = subnets;
        EPOCH_SECONDS = epochSeconds;
        VETO_SECONDS = vetoSeconds;
        CAP = cap;
    }

    /// @inheritdoc ISlashingManager
    function report(bytes32 offence, uint256 subnetId, address operator, uint48 when, uint64 share)
        external
        restricted
    {
        if (_offences[offence].operator != address(0)) return;
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        (address operators,) = SUBNETS.contractsOf(subnetId);
        IStakeSource source = IOperatorRegistry(operators).stakeSource();
        uint32 epoch = SafeCast.toUint32(block.timestamp / EPOCH_SECONDS);
        _offences[offence] = Offence(operator, share, epoch, false, source);
        Sentence storage sentence = _sentences[source][operator][epoch];
        bool first = sentence.when == 0 || when < sentence.when;
        if (first) sentence.when = when;
        sentence.share += share;
        emit Reported(offence, subnetId, operator, share);
    }

    /// @inheritdoc ISlashingManager
    function veto(bytes32 offence) external restricted {
        Offence storage found = _offences[offence];
        if (found.operator == address(0) || found.vetoed) revert UnknownOffence(offence);
        Sentence storage sentence = _sentences[found.source][found.operator][found.epoch];
        if (sentence.executed) revert AlreadyExecuted(found.operator, found.epoch);
        found.vetoed = true;
        sentence.share -= found.share;
        emit Vetoed(offence);
    }

    /// @inheritdoc ISlashingManager
    function execute(IStakeSource source, address operator, uint32 epoch) external returns (uint256 amount) {
        uint256 opensAt = (uint256(epoch) + 1) * EPOCH_SECONDS + VETO_SECONDS;
        if (block.timestamp < opensAt) revert TooEarly(opensAt);
        Sentence storage sentence = _sentences[source][operator][epoch];
        if (sentence.executed || sentence.share == 0) revert AlreadyExecuted(operator, epoch);
        sentence.executed = true;
        uint64 share = uint64(Math.min(sentence.share, CAP));
        bytes32 id = keccak256(abi.encode(address(this), operator, epoch));
        amount = source.slash(operator, sentence.when, share, id);
        emit Executed(address(source), operator, epoch, share, amount);
    }

    /// @inheritdoc ISlashingManager
    function offenceOf(bytes32 offence) external view returns (Offence memory) {
        return _offences[offence];
    }

    /// @inheritdoc ISlashingManager
    function sentenceOf(IStakeSource source, address operator, uint32 epoch) external view returns (Sentence memory) {
        return _sentences[source][operator][epoch];
    }
}
