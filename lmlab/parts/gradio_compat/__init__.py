"""Every touch of Gradio's inside, and nothing else. All else of the package uses what Gradio
documents. ``tests/test_gradio_compat.py`` holds a contract test for each touch, which names what a
newer Gradio has changed.

- ``building``: where a component stands while the page is made; no stub files beside ours.
- ``handlers``: what stands between Gradio and every handler: alerts, values checked, states packed.
- ``queue``: the lines that requests wait in.
- ``sessions``: what the server keeps of a visitor.
- ``later_tabs``: what of the page a browser is sent at first; the rest as it is opened.
- ``programs``: what programs are told of the page.
- ``preload``: which of Gradio's files it wants at once.
- ``server``: the server's configuration, the page's files, temporary files, tracebacks.
"""
