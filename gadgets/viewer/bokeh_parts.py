"""Bokeh, of any type: the type stubs that it brings lack half of its models."""

from typing import Any

import bokeh.layouts
import bokeh.models
import bokeh.plotting

__all__ = ["layouts", "models", "plotting"]

layouts: Any = bokeh.layouts
models: Any = bokeh.models
plotting: Any = bokeh.plotting
