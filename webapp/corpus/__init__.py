"""What a project knows: imported documents and questions, and the index over the documents' passages."""
