"""The page: a Gradio front end that talks to ``worker.client`` and nothing deeper. Importing it loads neither Gradio
nor torch; ``webui.app.create_app`` and ``webui.server.run`` do the work."""
