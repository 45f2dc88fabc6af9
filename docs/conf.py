from importlib.metadata import version as installed_version

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
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints", "tutorials/quickstart.md"]

html_theme = "furo"
html_title = f"jaxblend {release}"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Outputs come from the code as it is now, never from a cache keyed on the notebook alone.
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autoclass_content = "class"
napoleon_google_docstring = False
napoleon_use_ivar = True  # an Attributes section would otherwise describe each field a second time
napoleon_use_rtype = False
