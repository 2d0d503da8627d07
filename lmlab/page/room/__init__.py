"""The room: phones that answer a scene's question, served beside the page by routes of its own."""
