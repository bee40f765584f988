"""`parcelgate check`: is everything that one line needs there and as its line.toml says? It moves nothing."""
