// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title Assets owned by shares, that can be cut for all owners at once, with their history
/// @notice Assets are accounted, never read from a balance: a donation changes nothing. Virtual shares (as in OpenZeppelin's
///         ERC4626) make the first owner's rounding tricks cost more than they bring. All rounding favours the pool.
library SharePool {
    using Checkpoints for Checkpoints.Trace208;

    uint256 internal constant VIRTUAL_SHARES = 1e3;

    struct Pool {
        uint256 assets;
        uint256 shares;
        uint256 generation;
        Checkpoints.Trace208 history;
        mapping(uint256 generation => mapping(address owner => uint256)) owned;
    }

    /// @dev Adds assets of an owner; returns its new shares.
    function add(Pool storage pool, address owner, uint256 assets) internal returns (uint256 shares) {
        shares = Math.mulDiv(assets, pool.shares + VIRTUAL_SHARES, pool.assets + 1);
        pool.shares += shares;
        pool.owned[pool.generation][owner] += shares;
        _set(pool, pool.assets + assets);
    }

    /// @dev Takes an owner's shares out; returns the assets they are worth. Reverts if it has fewer.
    function remove(Pool storage pool, address owner, uint256 shares) internal returns (uint256 assets) {
        assets = worth(pool, shares);
        pool.owned[pool.generation][owner] -= shares;
        pool.shares -= shares;
        _set(pool, pool.assets - assets);
    }

    /// @dev Takes assets from all owners by their shares. If nothing is left the shares are void, and new ones begin anew:
    ///      otherwise whoever comes next would share with them.
    function cut(Pool storage pool, uint256 assets) internal {
        uint256 left = pool.assets - assets;
        if (left == 0) {
            pool.shares = 0;
            pool.generation += 1;
        }
        _set(pool, left);
    }

    function sharesOf(Pool storage pool, address owner) internal view returns (uint256) {
        return pool.owned[pool.generation][owner];
    }

    function worth(Pool storage pool, uint256 shares) internal view returns (uint256) {
        return Math.mulDiv(shares, pool.assets + 1, pool.shares + VIRTUAL_SHARES);
    }

    /// @dev The assets at the end of a past second, or now.
    function assetsAt(Pool storage pool, uint48 when) internal view returns (uint256) {
        return pool.history.upperLookupRecent(when);
    }

    function _set(Pool storage pool, uint256 assets) private {
        pool.assets = assets;
        // What else it returns is of no use here.
        // slither-disable-next-line unused-return
        pool.history.push(Time.timestamp(), SafeCast.toUint208(assets));
    }
}
