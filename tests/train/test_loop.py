"""The trainer on a small regression: what it finds, and that a run that was ended goes on as if it had not been."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxblend.train.loop import Schedule, train, trained

TRUTH = jnp.array([1.0, -2.0, 0.5])
SCHEDULE = Schedule(steps=200, batch_size=8, learning_rate=0.05, every=20, patience=100)


def loss(model, key):
    x, noise = jax.random.split(key)
    x = jax.random.normal(x, (8, 3))
    residual = x @ (model["slope"] - TRUTH) - 0.01 * jax.random.normal(noise, (8,))
    return jnp.mean(residual**2), {}


def start():
    return {"slope": jnp.zeros(3), "name": "a regression"}


def weights_of(run):
    *_, (model, state, _) = run
    return np.asarray(model["slope"]), np.asarray(state.history)


@pytest.fixture(scope="module")
def whole():
    return weights_of(train(start(), loss, SCHEDULE))


def test_it_finds_the_minimum(whole):
    slope, history = whole
    np.testing.assert_allclose(slope, TRUTH, atol=0.02)
    assert history[-1, 2] < 0.01 * history[0, 2]
    np.testing.assert_array_equal(history[:, 0], np.arange(20, 201, 20))


@pytest.mark.parametrize("stops", [(1,), (3, 4), (2, 5, 9)])
def test_a_run_that_was_ended_goes_on_to_the_same_weights(whole, tmp_path, stops):
    for stop in (*stops, None):
        run = train(start(), loss, SCHEDULE, tmp_path)
        if stop is None:
            slope, history = weights_of(run)
        else:
            while next(run)[2].step < 20 * stop:
                pass
            run.close()
    np.testing.assert_array_equal(slope, whole[0])
    np.testing.assert_array_equal(trained(start(), SCHEDULE, tmp_path)[0]["slope"], slope)
    np.testing.assert_array_equal(history[:, [0, 2]], whole[1][:, [0, 2]])


def test_data_of_a_loss_go_with_it_and_validation_may_have_its_own(tmp_path):
    def to(model, key, *, target):
        return jnp.mean((model["slope"] - target) ** 2) + 0.0 * jax.random.normal(key), {}

    near, far = (eqx.Partial(to, target=target) for target in (TRUTH, TRUTH + 3.0))
    run = train(start(), near, SCHEDULE, tmp_path, held_out=far)
    next(run)
    run.close()
    slope, history = weights_of(train(start(), near, SCHEDULE, tmp_path, held_out=far))
    straight, _ = weights_of(train(start(), near, SCHEDULE, held_out=far))
    np.testing.assert_array_equal(slope, straight)
    assert history[-1, 1] < 1e-3
    assert history[-1, 2] > 5.0


def test_it_stops_early_and_keeps_the_best():
    run = train(start(), loss, Schedule(steps=2000, batch_size=8, learning_rate=0.5, every=20, patience=3))
    *_, (_, state, progress) = run
    assert progress.step < 2000
    assert state.best_loss == np.nanmin(state.history[:, 2])


def test_what_is_not_finite_ends_it():
    def broken(model, key):
        return loss(model, key)[0] * jnp.nan, {}

    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        next(train(start(), broken, SCHEDULE))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": -1.0}, {"patience": 0}])
def test_schedules_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Schedule(**wrong)


def test_an_empty_folder_has_no_network(tmp_path):
    with pytest.raises(FileNotFoundError, match="train it first"):
        trained(start(), SCHEDULE, tmp_path)
