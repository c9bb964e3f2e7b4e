"""The bundled corpus and questions, and the project made of them."""
