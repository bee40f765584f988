"""What people order from abroad: the catalogue that the workload draws from.

HS codes are ten digits as customs messages carry them; unit codes are customs' own (007 piece,
011 item, 025 pair, 035 kg). Weights are of a whole parcel. Metal is allowed only where the heading
brings it along (sim/reference_rules.toml: 8516 heaters, 8518 loudspeakers and headphones).
"""

from dataclasses import dataclass

UNIT_PIECE = "007"
UNIT_ITEM = "011"
UNIT_PAIR = "025"
UNIT_KG = "035"


@dataclass(frozen=True, slots=True)
class Goods:
    """One kind of goods. `price_fen` is the price of one unit; each parcel holds `metal_pieces`."""

    gcode: str
    name: str
    model: str
    unit: str
    country: str
    price_fen: int
    weight_g_min: int
    weight_g_max: int
    metal_pieces: int = 0


CATALOGUE = (
    Goods("2106909090", "复合维生素片", "90片/瓶", UNIT_PIECE, "502", 15_800, 300, 1_600),
    Goods("3304990029", "保湿面霜", "50ml/瓶", UNIT_PIECE, "133", 22_900, 250, 1_200),
    Goods("3305100090", "洗发水", "400ml/瓶", UNIT_PIECE, "116", 6_900, 500, 2_600),
    Goods("6109100021", "棉制针织T恤衫", "男式 全棉", UNIT_ITEM, "143", 12_900, 200, 1_100),
    Goods("6402992900", "运动鞋", "橡胶底 42码", UNIT_PAIR, "141", 45_900, 700, 1_900),
    Goods("9619001100", "婴儿纸尿裤", "L码 54片/包", UNIT_PIECE, "116", 9_900, 1_200, 4_200),
    Goods("1901101010", "婴幼儿配方奶粉", "900g/罐 纸装", UNIT_PIECE, "309", 19_800, 1_000, 3_900),
    Goods("9503006000", "塑料积木玩具", "528粒/盒", UNIT_PIECE, "302", 32_900, 600, 2_400),
    Goods("4901990000", "外文书籍", "平装", UNIT_ITEM, "303", 11_900, 350, 3_000),
    Goods("8516310000", "电吹风", "1600W 220V", UNIT_PIECE, "116", 59_900, 700, 1_500, 2),
    Goods("8516609000", "电饭煲", "3L 220V", UNIT_PIECE, "133", 89_900, 2_400, 4_800, 4),
    Goods("8518300000", "头戴式耳机", "蓝牙", UNIT_PIECE, "142", 69_900, 350, 900, 2),
    Goods("8518220000", "桌面扬声器", "2.0声道", UNIT_PIECE, "142", 49_900, 1_100, 3_400, 2),
)

GOODS_WITHOUT_METAL = tuple(goods for goods in CATALOGUE if goods.metal_pieces == 0)
GOODS_BY_CODE = {goods.gcode: goods for goods in CATALOGUE}
