"""Makes the users, accounts and tokens of a benchmark, in the world that the environment names, and prints the tokens.

`python -m bench.people USERS TOKENS_EACH`. The API answers 1,200 requests a minute for each token, and that
limit stays on: so there are tokens enough.
"""

import json
import os
import sys


def make_people(users: int, tokens_each: int) -> list[list[str]]:
    """A list for each of `users` new traders: the texts of their tokens."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
    import django

    django.setup()
    from tradeops.core.users.models import Scope, User
    from tradeops.core.users.tokens import make_token
    from trades.services import default_account

    made = []
    for number in range(users):
        user = User.objects.create_user(f"trader{number}")
        default_account(user)
        made.append([make_token(user, name=f"bench {n}", scope=Scope.TRADE)[1] for n in range(tokens_each)])
    return made


if __name__ == "__main__":
    print(json.dumps(make_people(*map(int, sys.argv[1:3]))))
