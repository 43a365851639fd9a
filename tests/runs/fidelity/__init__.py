"""This project beside the release of ms-swift that the tutorial used."""
