"""ADBench's problems against its published values, and where it has none, against finite differences."""

import json

import numpy as np
import pytest

from benchmarks.adbench import ba, gmm, hand, inputs, lstm
from benchmarks.peers import load

TOLERANCE = 1e-8  # ADBench's own
EXPECTED = json.loads((inputs.DATA / "expected.json").read_text())


@pytest.fixture(scope="module")
def peer():
    return load(("ftrans",))["ftrans"]


def flat(arrays):
    return np.concatenate([np.asarray(array).reshape(-1) for array in arrays])


def assert_close(actual, expected, tolerance=TOLERANCE):
    actual = np.asarray(actual)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=0)


def test_gmm(peer):
    objective, gradient = gmm.build(peer, inputs.read_gmm("test.txt"))
    assert_close(objective(), EXPECTED["gmm/test.txt"]["objective"])
    assert_close(flat(gradient()), EXPECTED["gmm/test.txt"]["gradient"])


def test_ba(peer):
    expected = EXPECTED["ba/test.txt"]
    problem = inputs.read_ba("test.txt")
    objective, nonzeros = ba.build(peer, problem)
    reprojection, weight_error = objective()
    assert_close(reprojection, np.tile(expected["reproj_err_of_each_observation"], (10, 1)))
    assert_close(weight_error, np.full(10, expected["w_err_of_each_observation"]))

    values = nonzeros()
    jacobian = ba.jacobian(problem, np.asarray(values))
    assert list(jacobian.shape) == expected["jacobian_shape"]
    assert jacobian.rows[-1] == len(jacobian.cols) == len(jacobian.vals) == expected["nonzeros"]
    first = expected["first_nonzeros_row_major"]
    assert_close(jacobian.vals[: len(first)], first)


def test_ba_layout():
    problem = inputs.read_ba("test.txt")
    jacobian = ba.jacobian(problem, np.arange(310.0))
    n, m, row = 2, 10, 2 * 3  # the first error of observation 3: camera 1, point 3
    columns = jacobian.cols[jacobian.rows[row] : jacobian.rows[row + 1]]
    points = 11 * n + 3 * 3 + np.arange(3)
    np.testing.assert_array_equal(columns, [*range(11, 22), *points, 11 * n + 3 * m + 3])
    np.testing.assert_array_equal(jacobian.cols[-10:], 11 * n + 3 * m + np.arange(10))


def test_lstm(peer):
    expected = EXPECTED["lstm/lstm_l2_c1024.txt"]
    objective, gradient = lstm.build(peer, inputs.read_lstm("lstm_l2_c1024.txt"))
    assert_close(objective(), expected["objective"])
    actual = flat(gradient())
    assert len(actual) == len(expected["gradient"])
    assert_close(actual, expected["gradient"])


def central_difference(errors, x, step=1e-6):
    """Jacobian of `errors` [M] at the vector `x` [N] → [M, N], by NumPy."""
    directions = step * np.eye(len(x))
    return np.stack([(errors(x + d) - errors(x - d)) / (2 * step) for d in directions], axis=1)


def test_hand(peer):
    problem = inputs.read_hand("simple_small/hand1_t26_c100.txt")
    objective, jacobian = hand.build(peer, problem)
    assert np.asarray(objective()).shape == (300,)

    def errors(theta):
        return np.asarray(hand.build(peer, problem._replace(theta=theta))[0]())

    np.testing.assert_allclose(np.asarray(jacobian()), central_difference(errors, problem.theta), atol=1e-8)


def test_hand_complicated(peer):
    problem = inputs.read_hand("complicated_small/hand1_t26_c100.txt")
    _, jacobian = hand.build(peer, problem)
    actual = np.asarray(jacobian())
    assert actual.shape == (300, 28)

    def errors(theta, shift=(0.0, 0.0)):
        moved = problem._replace(theta=theta, barycentric=problem.barycentric + shift)
        return np.asarray(hand.build(peer, moved)[0]())

    by_pose = central_difference(errors, problem.theta)
    by_barycentric = central_difference(lambda shift: errors(problem.theta, shift), np.zeros(2))
    np.testing.assert_allclose(actual, np.concatenate((by_barycentric, by_pose), axis=1), atol=1e-8)


def test_hand_at_rest(peer):
    problem = inputs.read_hand("simple_small/hand1_t26_c100.txt")
    mesh = hand.vertex_positions(peer, problem, peer.array(np.zeros(26)))
    np.testing.assert_allclose(np.asarray(mesh), problem.base_positions[:, :3], atol=1e-6)
