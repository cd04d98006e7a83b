"""What the scenarios are made of: real servers, the real binary, a network that can be cut, and a witness."""
