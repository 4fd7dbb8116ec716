// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title forge's cheat codes, as far as our tests use them
/// @dev Tests read time, block and chain by these codes too: the compiler takes `block.timestamp` to be the same all through a
///      function, and reads it where it likes, `warp` or no `warp`.
interface Vm {
    enum Context {
        TestGroup,
        Test,
        Coverage
    }

    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function clearMockedCalls() external;
    function cool(address contract_) external;
    function deal(address who, uint256 balance) external;
    function etch(address where, bytes calldata code) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
    function getChainId() external view returns (uint256);
    function getRecordedLogs() external returns (Log[] memory);
    function isContext(Context context) external view returns (bool);
    function label(address who, string calldata name) external;
    function mockCall(address where, bytes calldata data, bytes calldata answer) external;
    function parseBytes32(string calldata text) external pure returns (bytes32);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytes32Array(string calldata json, string calldata key) external pure returns (bytes32[] memory);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory);
    function prank(address who) external;
    function readFile(string calldata path) external view returns (string memory);
    function recordLogs() external;
    function revertToState(uint256 id) external returns (bool);
    function roll(uint256 number) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signCompact(uint256 key, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function snapshotState() external returns (uint256);
    function startPrank(address who) external;
    function stopPrank() external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 time) external;

    function assertEq(address left, address right) external pure;
    function assertEq(bool left, bool right) external pure;
    function assertEq(bytes calldata left, bytes calldata right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(uint256 left, uint256 right, string calldata reason) external pure;
    function assertGe(uint256 left, uint256 right, string calldata reason) external pure;
    function assertLe(uint256 left, uint256 right, string calldata reason) external pure;
    function assertLt(uint256 left, uint256 right, string calldata reason) external pure;
    function assertTrue(bool condition, string calldata reason) external pure;
}

Vm constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

/// @title What every test contract is: forge knows one by this flag
/// @notice `setUp` runs before each test; functions that begin with `test` are tests, with arguments fuzzed ones; those
///         that begin with `invariant` hold after every call of random functions of `targetContracts`.
abstract contract Kit {
    // solhint-disable-next-line const-name-snakecase
    bool public constant IS_TEST = true;

    address[] private _targets;

    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    /// @dev Invariant runs call the functions of these contracts only.
    function _target(address handler) internal {
        _targets.push(handler);
    }

    /// @dev A value within [low, high], from any one.
    function _within(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    /// @dev How much gas the product may use; `forge coverage` compiles it without the optimizer.
    function _atMostGas(uint256 used, uint256 limit) internal view {
        if (!vm.isContext(Vm.Context.Coverage)) vm.assertLe(used, limit, "gas");
    }

    function _name(string memory who) internal returns (address account) {
        account = vm.addr(uint256(keccak256(bytes(who))));
        vm.label(account, who);
    }
}

/// @title Makes the random calls of an invariant test
/// @notice A call that has nothing to do, or is refused, shows nothing: it is discarded, and forge makes another in its place. forge
///         counts both, for each function and over all runs; tests/contracts/test_forge.py holds the ones against the others.
abstract contract Handler is Kit {
    uint256 public surprises;

    /// @notice What every run must end with.
    function asExpected() external view {
        vm.assertEq(surprises, 0);
    }

    function _wait(uint256 until) internal {
        if (vm.getBlockTimestamp() < until) vm.warp(until);
    }

    function _told(bool done) internal pure {
        vm.assume(done);
    }

    /// @dev As {_told}, where the handler knows what should happen.
    function _told(bool done, bool wanted) internal {
        _judged(done, wanted);
        if (done == wanted) vm.assume(done);
    }

    /// @dev An attack, which is no less a call when it is refused.
    function _judged(bool done, bool wanted) internal {
        if (done != wanted) ++surprises;
    }
}
