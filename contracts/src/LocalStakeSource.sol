// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {ILocalStakeSource} from "./interfaces/ILocalStakeSource.sol";
import {IStakeSource} from "./interfaces/IStakeSource.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See {ILocalStakeSource}.
contract LocalStakeSource is ILocalStakeSource, AccessManaged {
    uint256 private constant ONE = 1e18;
    /// @notice The most vaults there may be: bounds every loop.
    uint256 public constant MAX_VAULTS = 4;

    WeighedVault[] private _vaults;
    /// @inheritdoc IStakeSource
    mapping(bytes32 offence => bool) public slashedFor;

    constructor(WeighedVault[] memory first, address authority) AccessManaged(authority) {
        if (first.length == 0) revert NoVault();
        for (uint256 i = 0; i < first.length; ++i) {
            _setVault(first[i].vault, first[i].weight);
        }
    }

    /// @inheritdoc ILocalStakeSource
    function setVault(IStakeVault vault, uint96 weight) external restricted {
        // Subnets were founded on the exit delay that there is.
        (uint48 delay, uint48 least) = (vault.EPOCH_SECONDS(), exitDelay());
        if (delay < least) revert ExitWouldShorten(delay, least);
        _setVault(vault, weight);
    }

    /// @inheritdoc IStakeSource
    function slash(address operator, uint48 when, uint64 share, bytes32 offence)
        external
        restricted
        returns (uint256 amount)
    {
        if (slashedFor[offence]) revert AlreadySlashed(offence);
        if (share == 0 || share > ONE) revert BadShare(share);
        if (when > Time.timestamp()) revert OffenceInFuture(when);
        slashedFor[offence] = true;
        for (uint256 i = 0; i < _vaults.length; ++i) {
            uint256 assets = _vaults[i].vault.slash(operator, when, share);
            amount += Math.mulDiv(assets, _vaults[i].weight, ONE);
        }
        emit StakeSlashed(offence, operator, when, share, amount);
    }

    /// @inheritdoc IStakeSource
    /// @dev The vaults keep their history themselves.
    function note(address operator) external view returns (uint256) {
        return stake(operator);
    }

    /// @inheritdoc IStakeSource
    function stake(address operator) public view returns (uint256 sum) {
        for (uint256 i = 0; i < _vaults.length; ++i) {
            sum += Math.mulDiv(_vaults[i].vault.staked(operator), _vaults[i].weight, ONE);
        }
    }

    /// @inheritdoc IStakeSource
    function slashableStake(address operator, uint48 when) external view returns (uint256 sum) {
        for (uint256 i = 0; i < _vaults.length; ++i) {
            sum += Math.mulDiv(_vaults[i].vault.slashable(operator, when), _vaults[i].weight, ONE);
        }
    }

    /// @inheritdoc IStakeSource
    function exitDelay() public view returns (uint48 least) {
        least = type(uint48).max;
        for (uint256 i = 0; i < _vaults.length; ++i) {
            uint48 delay = _vaults[i].vault.EPOCH_SECONDS();
            if (delay < least) least = delay;
        }
    }

    /// @inheritdoc ILocalStakeSource
    function vaults() external view returns (WeighedVault[] memory) {
        return _vaults;
    }

    function _setVault(IStakeVault vault, uint96 weight) private {
        emit VaultSet(vault, weight);
        for (uint256 i = 0; i < _vaults.length; ++i) {
            if (address(_vaults[i].vault) == address(vault)) {
                _vaults[i].weight = weight;
                return;
            }
        }
        if (_vaults.length == MAX_VAULTS) revert TooManyVaults(MAX_VAULTS);
        _vaults.push(WeighedVault(vault, weight));
    }
}
