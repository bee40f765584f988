"""Synthetic buyers: no real person is meant, but every identity number passes its own check.

The check digit is ISO 7064 MOD 11-2 as GB 11643-1999 prescribes it for resident identity numbers.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚英华玉建文晨宇轩欣怡子涵梓浩然"
# Area code, place as an address begins.
_PLACES = (
    ("110105", "北京市朝阳区"),
    ("310115", "上海市浦东新区"),
    ("330106", "浙江省杭州市西湖区"),
    ("440305", "广东省深圳市南山区"),
    ("410105", "河南省郑州市金水区"),
    ("500112", "重庆市渝北区"),
    ("510104", "四川省成都市锦江区"),
    ("420106", "湖北省武汉市武昌区"),
)
_STREETS = ("人民路", "解放大道", "科技园路", "学府街", "建设东路", "滨江大道")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK_DIGITS = "10X98765432"
_OLDEST_BIRTH = date(1955, 1, 1)
_BIRTH_DAYS = 50 * 365


@dataclass(frozen=True, slots=True)
class Person:
    """A buyer as a declared list names one."""

    name: str
    id_number: str
    telephone: str
    address: str


def id_check_digit(first_17: str) -> str:
    """The 18th character of a resident identity number (ISO 7064 MOD 11-2, GB 11643-1999)."""
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, first_17, strict=True))
    return _ID_CHECK_DIGITS[total % 11]


def make_person(rng: Random) -> Person:
    """The next synthetic buyer out of `rng`."""
    area, place = rng.choice(_PLACES)
    born = _OLDEST_BIRTH + timedelta(days=rng.randrange(_BIRTH_DAYS))
    first_17 = f"{area}{born:%Y%m%d}{rng.randrange(1000):03d}"
    given = "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2, 2))))
    return Person(
        name=rng.choice(_SURNAMES) + given,
        id_number=first_17 + id_check_digit(first_17),
        telephone=f"1{rng.choice('3589')}{rng.randrange(10**9):09d}",
        address=f"{place}{rng.choice(_STREETS)}{rng.randrange(1, 300)}号",
    )
