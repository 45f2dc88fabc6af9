import os
import re
from importlib.metadata import version as installed_version

# Of the progress bars of NumPyro, in kernels without widgets.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"

project = "jaxblend"
author = "The jaxblend developers"
copyright = "2026, The jaxblend developers"
version = release = installed_version("jaxblend")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

html_theme = "furo"
html_title = f"jaxblend {release}"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Outputs come from the code as it is now, never from a cache keyed on the notebook alone.
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

suppress_warnings = ["ref.python"]  # a word such as "table" that names a type here is an attribute of two classes, too

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = False  # it reads defaults from the source, and simulate takes its own from a dataclass
autoclass_content = "class"
napoleon_google_docstring = False
napoleon_use_ivar = True  # an Attributes section would otherwise describe each field a second time
napoleon_use_rtype = False
napoleon_attr_annotations = False  # a jaxtyping shape such as "*sources C h w" is not reStructuredText


def setup(app):
    """Let docstrings write |g| for a modulus, which reStructuredText would take for a substitution."""

    def escape_bars(app, what, name, obj, options, lines):
        lines[:] = [re.sub(r"(``.+?``)|\|", lambda m: m[1] or r"\|", line) for line in lines]

    app.connect("autodoc-process-docstring", escape_bars)
