"""Console: the operator's pages, which ask and act through the same functions as the API."""
