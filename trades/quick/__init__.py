"""The short ways: what programs send by the thousand, answered as the views would, for less."""
