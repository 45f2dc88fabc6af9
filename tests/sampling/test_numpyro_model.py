"""The NumPyro model of a blend against GalSim, SciPy and the prior of ``fit``, and in NumPyro's own tools."""

import dataclasses

import galsim
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

import jaxblend as jb
from jaxblend.forward.free_form import Lattice
from jaxblend.priors.prior import population_prior

pytest.importorskip("numpyro")

import numpyro
from numpyro import distributions as dist
from numpyro.handlers import condition, scope, seed, substitute, trace, uncondition
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, init_to_value
from numpyro.infer.autoguide import AutoNormal
from numpyro.infer.util import initialize_model, log_density

SCALE, FWHM, NOISE, ZERO_POINT, SIZE = 0.2, 0.7, 3.0, 27.0, 24
POSITIONS = np.array([[9.3, 11.2], [14.8, 12.6]])  # pixels
VALUES = {  # of two exponential galaxies in one band
    "offset": np.array([[0.06, -0.03], [-0.1, 0.05]]),
    "log_flux": np.log([[900.0], [400.0]]),
    "log_radius": np.log([0.5, 0.3]),
    "g": np.array([[0.2, 0.1], [-0.15, 0.05]]),
}


def draw(values, *, positions=POSITIONS, bulge=None):
    """(1, 24, 24): exponential galaxies by GalSim, with a de Vaucouleurs bulge of these fractions, sizes, shears."""
    image = galsim.Image(SIZE, SIZE, scale=SCALE)
    for i, (x, y) in enumerate(positions):
        g1, g2 = values["g"][i]
        galaxy = galsim.Exponential(half_light_radius=np.exp(values["log_radius"][i])).shear(g1=g1, g2=g2)
        if bulge is not None:
            share, ratio, rounder = (each[i] for each in bulge)
            radius = np.exp(values["log_radius"][i]) * ratio
            inner = galsim.DeVaucouleurs(half_light_radius=radius).shear(g1=rounder * g1, g2=rounder * g2)
            galaxy = (1 - share) * galaxy + share * inner
        away = (np.array([x, y]) - (SIZE - 1) / 2) * SCALE + values["offset"][i]
        galaxy = galaxy.withFlux(np.exp(values["log_flux"][i, 0])).shift(*away)
        galsim.Convolve(galaxy, galsim.Gaussian(fwhm=FWHM)).drawImage(image, add_to_image=True)
    return image.array[None].astype(float)


def observe(clean, *, noise=0, band="r", zero_point=ZERO_POINT, **options):
    data = clean + np.random.default_rng(noise).normal(0, NOISE, clean.shape)
    weight = np.full(clean.shape, NOISE**-2)
    return jb.Observation(
        data, weight, jb.GaussianPSF(fwhm=FWHM), pixel_scale=SCALE, bands=[band], zero_point=zero_point, **options
    )


@pytest.fixture(scope="module")
def obs():
    return observe(draw(VALUES))


@pytest.fixture(scope="module")
def model(obs):
    return jb.numpyro_model(obs, POSITIONS, model=jb.Exponential())


@pytest.fixture(scope="module")
def fit(obs):
    return jb.fit(obs, POSITIONS, model=jb.Exponential())


def population(**values):
    """Of arrays, too, where the checks of types in tests would have numbers only."""
    made = jb.Population()
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def density(model, values):
    """The log density under jit, which NumPyro does not do by itself."""
    return float(jax.jit(lambda values: log_density(model, (), {}, values)[0])(jax.tree.map(jnp.asarray, values)))


def sites_at(model, values, *, key=0):
    """Values and log densities of the sites, the rest drawn; compiled as one program, not operation by operation."""

    @jax.jit
    def run(values):
        sites = trace(substitute(seed(model, key), values)).get_trace()
        values = {name: site["value"] for name, site in sites.items() if site["type"] != "plate"}
        drawn = {name: site for name, site in sites.items() if site["type"] == "sample"}
        return values, {name: jnp.sum(site["fn"].log_prob(site["value"])) for name, site in drawn.items()}

    return jax.tree.map(np.asarray, run(jax.tree.map(jnp.asarray, values)))


def gaussian(obs, clean):
    """Log-likelihood by SciPy."""
    used = obs.weight > 0
    return scipy.stats.norm.logpdf(obs.image[used], clean[used], obs.weight[used] ** -0.5).sum()


def expected_prior(values, p, scatter=SCALE):
    """The prior of exponential galaxies in the band r, by SciPy."""
    norm = scipy.stats.norm.logpdf
    magnitude = ZERO_POINT - 2.5 / np.log(10) * values["log_flux"][:, 0]
    total = norm(values["offset"], 0, scatter).sum()
    sigma = np.log(10) / 2.5 * np.sqrt(p.magnitude_scatter**2 + 0.07**2)
    total += norm(values["log_flux"][:, 0], np.log(10) / 2.5 * (ZERO_POINT - p.magnitude), sigma).sum()
    mean = p.log_radius + p.log_radius_slope * (magnitude - 24)
    total += norm(values["log_radius"], mean, p.log_radius_scatter).sum()
    w2 = (values["g"] ** 2).sum(1) / 0.95**2
    plane = values["g"] / 0.95 / np.sqrt(1 - w2)[:, None]
    return total + norm(plane, 0, p.ellipticity_scatter).sum() - 2 * np.sum(np.log(0.95) + np.log(1 - w2))


# The density


def test_the_log_density_is_that_of_galsim_and_scipy(model, obs):
    p, rng = jb.Population(), np.random.default_rng(1)
    for _ in range(3):
        values = {name: value + 0.05 * rng.normal(size=value.shape) for name, value in VALUES.items()}
        expected = gaussian(obs, draw(values)) + expected_prior(values, p)
        assert density(model, values) == pytest.approx(expected, abs=0.02)


def test_a_bulge_and_disk_is_that_of_galsim(obs):
    bulge = np.array([0.3, 0.6]), np.array([0.5, 0.8]), np.array([0.4, 0.9])
    share, ratio, rounder = bulge
    clean = draw(VALUES, bulge=bulge)
    model = jb.numpyro_model(obs, POSITIONS)
    logits = (np.log(share) - np.log(1 - share))[:, None]
    values = VALUES | {"log_ratio": np.log(ratio), "shear_ratio": rounder, "logit_fraction": logits}
    sites, densities = sites_at(model, values)
    assert densities["image"] == pytest.approx(gaussian(obs, clean), abs=0.1)
    np.testing.assert_allclose(sites["bulge_fraction"], share, rtol=1e-5)
    np.testing.assert_allclose(sites["flux"], np.exp(VALUES["log_flux"]), rtol=1e-5)
    expected = POSITIONS + VALUES["offset"] / SCALE
    np.testing.assert_allclose(np.stack([sites["x"], sites["y"]], 1), expected, rtol=1e-5)
    sheared = VALUES["g"] * (1 - share * (1 - rounder))[:, None]
    np.testing.assert_allclose(sites["shear"], sheared, rtol=1e-5)
    whole = [_half_light(np.exp(VALUES["log_radius"][i]), share[i], ratio[i]) for i in range(2)]
    np.testing.assert_allclose(sites["radius"], whole, rtol=2e-3)


def _half_light(radius, share, ratio):
    """Of a round bulge and disk, from the growth curves of Sersic profiles."""

    def excess(r):
        disk, bulge = (
            scipy.special.gammainc(2 * n, b * x ** (1 / n))
            for n, b, x in ((1, 1.678347, r / radius), (4, 7.669249, r / radius / ratio))
        )
        return share * bulge + (1 - share) * disk - 0.5

    return scipy.optimize.brentq(excess, 0.01 * radius, 10 * radius)


FREE = jb.FreeForm(Lattice.of(2, spacing=0.9, reach=2.5, correlation=0.6, contrast=0.8))


GALAXIES = [(jb.BulgeDisk(), "r"), (jb.BulgeDisk(), "grz"), (jb.Sersic(), ["odd", "r"]), (FREE, "gr")]


@pytest.mark.parametrize(("galaxy", "bands"), GALAXIES, ids=lambda part: getattr(type(part), "__name__", part))
def test_the_sites_have_the_density_of_the_prior_of_fit(galaxy, bands):
    changed = jb.Population(magnitude=23.0, log_radius=-0.8, ellipticity_scatter=0.3, bulge_logit=-1.0)
    with jax.enable_x64(True):
        image = np.zeros((len(bands), SIZE, SIZE))
        obs = jb.Observation(image, 1.0, jb.GaussianPSF(fwhm=FWHM), pixel_scale=SCALE, bands=bands, zero_point=26.0)
        options = {"population": changed, "position_scatter": 0.3}
        model = jb.numpyro_model(obs, POSITIONS, model=galaxy, **options)
        prior = population_prior(galaxy, bands, zero_point=np.full(len(bands), 26.0), **options)
        u = jax.random.normal(jax.random.key(0), (2, prior.size))
        vectors, log_det = jax.vmap(prior.bijection.transform_and_log_det)(u)
        expected = jnp.sum(scipy.stats.norm.logpdf(u)) - log_det.sum()
        _, densities = sites_at(model, model.split(vectors))
        assert sum(densities[name] for name, _ in model.layout) == pytest.approx(float(expected), rel=1e-9)
        own = jb.numpyro_model(obs, POSITIONS, model=galaxy, prior=prior)
        _, others = sites_at(own, {"vector": vectors})
        assert others["vector"] == pytest.approx(float(expected), rel=1e-9)
        assert others["image"] == pytest.approx(densities["image"], rel=1e-9)


def test_it_is_the_objective_of_fit_up_to_the_change_of_variables(obs, model, fit):
    prior, u = fit.item.prior, jnp.asarray(fit.result.u)
    log_det = jax.vmap(prior.bijection.transform_and_log_det)(u)[1].sum()
    chi2 = (np.square(obs.image - fit.model) * obs.weight).sum()
    normal = u.size * np.log(2 * np.pi) / 2 + obs.image.size * (np.log(2 * np.pi) / 2 + np.log(NOISE))
    expected = -0.5 * chi2 - 0.5 * float(jnp.sum(u**2)) - float(log_det) - normal
    assert density(model, model.values_at(fit)) == pytest.approx(expected, abs=0.02)


def test_it_depends_on_the_data_and_has_a_gradient(model, obs):
    other = jb.numpyro_model(obs.replace(image=obs.image + 1), POSITIONS, model=jb.Exponential())
    assert abs(density(model, VALUES) - density(other, VALUES)) > 1
    values = jax.tree.map(jnp.asarray, VALUES)
    gradient = jax.jit(jax.grad(lambda values: log_density(model, (), {}, values)[0]))(values)
    assert all(np.isfinite(g).all() and (np.asarray(g) != 0).all() for g in gradient.values())


def test_masked_pixels_do_not_count(obs):
    weight = obs.weight.copy()
    weight[:, 4:9, 6:11] = 0
    image = obs.image.copy()
    image[:, 4:9, 6:11] = 1e4
    models = [
        jb.numpyro_model(obs.replace(image=i, weight=weight), POSITIONS, model=jb.Exponential())
        for i in (obs.image, image)
    ]
    first, second = (density(m, VALUES) for m in models)
    assert first == second
    masked = obs.replace(weight=weight)
    assert first == pytest.approx(gaussian(masked, draw(VALUES)) + expected_prior(VALUES, jb.Population()), abs=0.02)
    drawn = sites_at(uncondition(models[1]), VALUES)[0]["image"]
    assert 0.9 < (drawn - draw(VALUES)).std() / NOISE < 1.1


def test_photon_noise_is_that_of_the_model(obs):
    clean, model = draw(VALUES), jb.numpyro_model(obs.replace(gain=np.array([2.0])), POSITIONS, model=jb.Exponential())
    noisy = obs.replace(weight=1 / (NOISE**2 + np.maximum(clean, 0) / 2))
    expected = gaussian(noisy, clean) + expected_prior(VALUES, jb.Population())
    assert density(model, VALUES) == pytest.approx(expected, abs=0.02)


def test_exposures_of_one_band_share_a_flux(obs):
    clean = draw(VALUES)
    gain = 10 ** (0.4 * 1.5)
    deeper = observe(gain * clean, noise=1, zero_point=ZERO_POINT + 1.5)
    sky = (POSITIONS - (SIZE - 1) / 2) * SCALE
    model = jb.numpyro_model([obs, deeper], sky, model=jb.Exponential())
    sites, _ = sites_at(model, VALUES)
    assert sites["flux"].shape == (2, 1)
    assert "image" not in sites
    expected = gaussian(obs, clean) + gaussian(deeper, gain * clean) + expected_prior(VALUES, jb.Population())
    assert density(model, VALUES) == pytest.approx(expected, abs=0.04)
    drawn, _ = sites_at(uncondition(model), VALUES)
    for i, scale in enumerate((1, gain)):
        assert 0.9 < (drawn[f"image_{i}"] - scale * clean).std() / NOISE < 1.1


def test_a_star_has_no_shape(obs):
    model = jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), stars=[True, False])
    values = {**VALUES, "log_radius": VALUES["log_radius"] + [1.0, 0.0]}
    (sites, first), (_, second) = (sites_at(model, v) for v in (VALUES, values))
    assert first["image"] == second["image"]
    np.testing.assert_array_equal(sites["radius"] == 0, [True, False])


# Replacing priors


def test_priors_are_replaced_by_name(obs, model):
    normal = scipy.stats.norm.logpdf
    sites = {
        "log_radius": dist.Normal(jnp.array([-1.0, -0.5]), 0.2),
        "offset": dist.Normal(0.0, 0.05),
        "log_flux": lambda values: dist.Normal(6.0 + values["offset"][:, :1], 1.0),
    }
    changed = jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), sites=sites)
    _, densities = sites_at(model, VALUES)
    before = sum(densities[name] for name in sites)
    after = (
        normal(VALUES["log_radius"], [-1.0, -0.5], 0.2).sum()
        + normal(VALUES["offset"], 0, 0.05).sum()
        + normal(VALUES["log_flux"], 6 + VALUES["offset"][:, :1], 1.0).sum()
    )
    assert density(changed, VALUES) - density(model, VALUES) == pytest.approx(after - before, abs=0.01)


def test_a_conditioned_site_is_fixed_and_counts(model):
    fixed = {"log_radius": VALUES["log_radius"]}
    rest = {name: value for name, value in VALUES.items() if name != "log_radius"}
    assert density(condition(model, fixed), rest) == pytest.approx(density(model, VALUES), rel=1e-6)
    sites = trace(seed(condition(model, fixed), 0)).get_trace()
    latent = {name for name, site in sites.items() if site["type"] == "sample" and not site["is_observed"]}
    assert latent == {"offset", "log_flux", "g"}
    drawn, _ = sites_at(uncondition(model), fixed)
    np.testing.assert_allclose(drawn["radius"], np.exp(VALUES["log_radius"]), rtol=1e-6)


# Populations that are drawn


NUMBERS = [f.name for f in dataclasses.fields(jb.Population) if f.name != "coupling"]
TRACED = [name for name in NUMBERS if "colour_scatter" not in name or "bulge" in name]


def test_a_population_may_be_traced(obs):
    def at(p, values):
        model = jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), population=population(**p))
        return log_density(model, (), {}, values)[0]

    plain = {name: getattr(jb.Population, name) for name in TRACED}
    changed = plain | {"log_radius": -1.3, "magnitude": 25.0, "magnitude_scatter": 1.0, "ellipticity_scatter": 0.4}
    compiled, values = jax.jit(at), jax.tree.map(jnp.asarray, VALUES)
    difference = compiled(changed, values) - compiled(plain, values)
    expected = expected_prior(VALUES, jb.Population(**changed)) - expected_prior(VALUES, jb.Population())
    assert float(difference) == pytest.approx(expected, abs=0.01)
    slopes = jax.jit(jax.grad(at))(plain, values)
    for name in ("magnitude", "log_radius", "log_radius_slope", "log_radius_scatter", "ellipticity_scatter"):
        assert np.isfinite(slopes[name])
        assert slopes[name] != 0


def test_every_number_of_a_population_may_be_traced():
    image = np.zeros((2, SIZE, SIZE))
    obs = jb.Observation(image, 1.0, jb.GaussianPSF(fwhm=FWHM), pixel_scale=SCALE, bands=["odd", "r"])
    for galaxy in (jb.BulgeDisk(), jb.Sersic()):

        def at(p, galaxy=galaxy):
            model = uncondition(jb.numpyro_model(obs, POSITIONS, model=galaxy, population=population(**p)))
            sites = trace(seed(model, 0)).get_trace()
            latent = {k: v for k, v in sites.items() if v["type"] == "sample" and k != "image"}
            fixed = {k: jax.lax.stop_gradient(v["value"]) for k, v in latent.items()}
            return sum(v["fn"].log_prob(fixed[k]).sum() for k, v in latent.items())

        slopes = jax.jit(jax.grad(at))({name: getattr(jb.Population, name) for name in TRACED})
        other = "bulge" if isinstance(galaxy, jb.Sersic) else "sersic"
        unused = {name for name in TRACED if other in name or (other == "bulge" and "ratio" in name)}
        for name in set(TRACED) - unused:
            assert np.isfinite(slopes[name]), name
            assert slopes[name] != 0, name


def hierarchical(observations, positions):
    def model():
        mean = numpyro.sample("mean", dist.Normal(-1.0, 0.5))
        drawn = population(log_radius=mean)
        for i, (obs, where) in enumerate(zip(observations, positions, strict=True)):
            one = jb.numpyro_model(obs, where, model=jb.Exponential(), population=drawn)
            scope(one, prefix=f"blend{i}")()

    return model


def test_two_blends_share_a_hyperparameter(obs):
    other = observe(draw(VALUES), noise=5)
    model = hierarchical([obs, other], [POSITIONS, POSITIONS[:1]])
    one = {name: value[:1] for name, value in VALUES.items()}
    values = {f"blend{i}/{k}": v for i, each in enumerate((VALUES, one)) for k, v in each.items()}
    p = dataclasses.replace(jb.Population(), log_radius=-1.2)
    expected = (
        gaussian(obs, draw(VALUES))
        + gaussian(other, draw(one, positions=POSITIONS[:1]))
        + expected_prior(VALUES, p)
        + expected_prior(one, p)
        + scipy.stats.norm.logpdf(-1.2, -1.0, 0.5)
    )
    assert density(model, {**values, "mean": jnp.asarray(-1.2)}) == pytest.approx(expected, abs=0.05)
    gradient = jax.jit(jax.grad(lambda m: log_density(model, (), {}, {**values, "mean": m})[0]))(jnp.asarray(-1.2))
    magnitude = ZERO_POINT - 2.5 / np.log(10) * np.concatenate([VALUES["log_flux"], one["log_flux"]])[:, 0]
    away = np.append(VALUES["log_radius"], one["log_radius"]) - (-1.2 + p.log_radius_slope * (magnitude - 24))
    assert float(gradient) == pytest.approx(away.sum() / p.log_radius_scatter**2 + 0.2 / 0.25, rel=1e-3)


# Compiled programs over many blends


def stack(models):
    return jax.tree.map(lambda *x: jnp.stack(x), *models)


def test_stacked_blends_are_as_one_by_one(obs):
    positions = [POSITIONS, POSITIONS + 0.3, POSITIONS - 0.2]
    observations = [observe(draw(VALUES, positions=p), noise=i) for i, p in enumerate(positions)]
    sites = {"log_ratio": dist.Normal(-1.0, 0.3), "log_radius": _brighter_is_larger}
    models = [jb.numpyro_model(o, p, sites=sites) for o, p in zip(observations, positions, strict=True)]
    values = [trace(seed(m, i)).get_trace() for i, m in enumerate(models)]
    values = [{name: v[name]["value"] for name, _ in m.layout} for m, v in zip(models, values, strict=True)]
    at = jax.jit(jax.vmap(lambda model, values: log_density(model, (), {}, values)[0]))
    together = at(stack(models), stack(values))
    np.testing.assert_allclose(together, [density(*each) for each in zip(models, values, strict=True)], rtol=1e-5)


def _brighter_is_larger(values):
    return dist.Normal(-3 + 0.3 * values["log_flux"][:, 0], 0.5)


def test_empty_slots_keep_their_prior_and_are_in_no_image():
    rng = np.random.default_rng(2)
    positions = rng.uniform(6, 18, (5, 2))  # six slots
    values = {
        "offset": np.zeros((5, 2)),
        "log_flux": np.full((5, 1), 5.0),
        "log_radius": np.full(5, -1.0),
        "g": np.full((5, 2), 0.1),
    }
    obs = observe(draw(values, positions=positions))
    model = jb.numpyro_model(obs, positions, model=jb.Exponential())
    padded = model.padded()
    assert (model.n, padded.n) == (5, 6)
    last = {name: np.asarray(value)[:1] + 0.2 for name, value in values.items()}
    more = {name: np.concatenate([value, last[name]]) for name, value in values.items()}
    expected = density(model, values) + expected_prior(last, jb.Population())
    assert density(padded, more) == pytest.approx(expected, abs=0.02)
    assert sites_at(uncondition(padded), more)[0]["image"].shape == (1, 32, 32)


def test_a_program_serves_other_blends(model, obs):
    compiled = []

    @jax.jit
    def at(model, values):
        compiled.append(1)
        return log_density(model, (), {}, values)[0]

    other = jb.numpyro_model(obs.replace(image=obs.image + 1), POSITIONS + 0.1, model=jb.Exponential())
    values = jax.tree.map(jnp.asarray, VALUES)
    assert at(model, values) != at(other, values)
    assert len(compiled) == 1


# NumPyro's inference


def check_close(found, fit, *, spread):
    """The mean within an error of the fit, the standard deviation within these multiples of the error."""
    table = fit.catalog
    for name, column in (("flux", "flux_r"), ("x", "x"), ("y", "y"), ("radius", "radius")):
        draws = np.asarray(found[name]).reshape(-1, fit.n)
        value, error = (np.asarray(table[c], float) for c in (column, f"{column}_err"))
        assert (np.abs(draws.mean(0) - value) < error).all(), name
        ratio = draws.std(0) / error
        assert ((ratio > spread[0]) & (ratio < spread[1])).all(), (name, ratio)


@pytest.fixture(scope="module")
def start(model, fit):
    return init_to_value(values=model.values_at(fit))


@pytest.mark.slow
def test_nuts_agrees_with_the_errors_of_fit(model, start, fit):
    mcmc = MCMC(NUTS(model, init_strategy=start), num_warmup=200, num_samples=200, progress_bar=False)
    mcmc.run(jax.random.key(0))
    assert int(mcmc.get_extra_fields()["diverging"].sum()) < 10
    samples = mcmc.get_samples()
    check_close(samples, fit, spread=(0.6, 1.6))
    drawn = Predictive(uncondition(model), samples)(jax.random.key(1))["image"]
    residual = (np.asarray(drawn) - draw(VALUES)) / NOISE
    assert residual.shape == (200, 1, SIZE, SIZE)
    assert 0.9 < residual.std() < 1.2


@pytest.mark.slow
def test_one_compiled_sampler_runs_over_stacked_blends(obs, start, fit):
    positions = [POSITIONS, POSITIONS + 0.2]
    models = [jb.numpyro_model(obs, p, model=jb.Exponential()) for p in positions]

    def sample(model, key):
        mcmc = MCMC(NUTS(model, init_strategy=start), num_warmup=100, num_samples=50, progress_bar=False)
        mcmc.run(key)
        return mcmc.get_samples()

    found = jax.jit(jax.vmap(sample))(stack(models), jax.random.split(jax.random.key(0), 2))
    assert found["flux"].shape == (2, 50, 2, 1)
    check_close({name: value[0] for name, value in found.items()}, fit, spread=(0.4, 2.0))


@pytest.mark.slow
def test_an_automatic_guide_fits(model, start, fit):
    guide = AutoNormal(model, init_loc_fn=start, init_scale=0.02)
    svi = SVI(model, guide, numpyro.optim.Adam(3e-3), Trace_ELBO())
    result = svi.run(jax.random.key(0), 500, progress_bar=False)
    assert result.losses[-50:].mean() < result.losses[:50].mean()
    found = Predictive(model, guide=guide, params=result.params, num_samples=200)(jax.random.key(1))
    check_close(found, fit, spread=(0.1, 1.2))  # blind to correlations


@pytest.mark.slow
def test_a_prior_of_ones_own_is_sampled_in_its_whitened_coordinates(obs, fit):
    prior = population_prior(jb.Exponential(), "r", zero_point=np.array([27.0]), position_scatter=SCALE)
    model = jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), prior=prior)
    values = model.values_at(fit)
    info = initialize_model(jax.random.key(0), model, init_strategy=init_to_value(values=values)).param_info
    np.testing.assert_allclose(jax.vmap(prior.physical)(info.z["vector"]), values["vector"], atol=1e-4)
    kernel = NUTS(model, init_strategy=init_to_value(values=values))
    mcmc = MCMC(kernel, num_warmup=100, num_samples=100, progress_bar=False)
    mcmc.run(jax.random.key(0))
    check_close(mcmc.get_samples(), fit, spread=(0.5, 1.8))


# At the door


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": [[np.nan, 1.0]]}, "positions of sources"),
        ({"positions": [[500.0, 12.0]]}, "too far outside the image"),
        ({"observations": []}, "must be an Observation or a list of them, got list"),
        ({"stars": [1, 0]}, "stars must be 2 booleans"),
        ({"population": jb.Population(magnitude=np.nan)}, "population.magnitude must be a number"),
        ({"position_scatter": 0.0}, "position_scatter must be arcsec"),
    ],
)
def test_wrong_input_gets_the_message_of_fit(obs, change, message):
    arguments = {"observations": obs, "positions": POSITIONS, **change}
    errors = []
    for verb in (jb.fit, jb.numpyro_model):
        with pytest.raises(ValueError, match=message) as caught:
            verb(**arguments)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": population(log_radius=np.ones((3,)) * jnp.ones(()))}, "log_radius must be one number"),
        ({"population": population(unknown_colour_scatter=np.float32(0.3) * jnp.ones(()))}, "must be a plain number"),
        ({"sites": {"radius": dist.Normal(0.0, 1.0)}}, r"sites \['radius'\] are not in this model"),
        ({"sites": {"log_radius": 0.3}}, "must be a distribution of NumPyro or a function"),
        ({"sites": {"log_radius": dist.Normal}}, "must be a distribution of NumPyro or a function"),
        ({"sites": {"log_radius": dist.Normal(jnp.zeros(3), 1.0)}}, "batch shape"),
        ({"sites": {"g": dist.Normal(jnp.zeros(3), 1.0)}}, "one source has"),
        ({"sites": {"log_radius": dist.Normal(jnp.zeros(2), 1.0).to_event(1)}}, "one source has one number"),
    ],
)
def test_wrong_sites_and_populations_are_named(obs, options, message):
    with pytest.raises(ValueError, match=message):
        jb.numpyro_model(obs, POSITIONS, **options)


def test_prior_and_sites_exclude_each_other(obs):
    prior = population_prior(jb.Exponential(), "r", zero_point=np.array([27.0]), position_scatter=SCALE)
    sites = {"log_radius": dist.Normal(0.0, 1.0)}
    with pytest.raises(ValueError, match="give prior, or sites"):
        jb.numpyro_model(obs, POSITIONS, model=jb.Exponential(), prior=prior, sites=sites)


def test_a_fit_of_another_blend_is_no_place_to_begin(obs, fit):
    one = jb.numpyro_model(obs, POSITIONS[:1], model=jb.Exponential())
    with pytest.raises(ValueError, match="the fit has 2 sources"):
        one.values_at(fit)
    with pytest.raises(ValueError, match="of 6 parameters, the model 2 of 9"):
        jb.numpyro_model(obs, POSITIONS).values_at(fit)
