"""This project compared with the release of ms-swift that the tutorial used."""
