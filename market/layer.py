"""What the channel layer says where it does not answer. Apart, for who books no price need load no Redis."""

from redis.exceptions import RedisError

LAYER_ERRORS = (OSError, RedisError, TimeoutError)
