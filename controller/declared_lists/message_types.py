"""The messages of the unified version (edition 202205): names, so that each can be named to a person."""

FOR_THIS_STORE = frozenset({"621", "622"})

MESSAGE_TYPES: dict[str, tuple[str, str]] = {
    # number: (English, Chinese)
    "213": ("export return application", "出口退货申请单"),
    "214": ("export return application receipt", "出口退货申请单回执"),
    "215": ("export return tally sheet", "出口退货理货单"),
    "216": ("export return tally sheet receipt", "出口退货理货单回执"),
    "303": ("export order", "出口电子订单"),
    "304": ("export order receipt", "出口电子订单回执"),
    "311": ("import order", "进口电子订单"),
    "312": ("import order receipt", "进口电子订单回执"),
    "403": ("export receipt of payment", "出口收款单"),
    "404": ("export receipt of payment receipt", "出口收款单回执"),
    "411": ("import payment", "进口支付凭证"),
    "412": ("import payment receipt", "进口支付凭证回执"),
    "505": ("export waybill", "出口运单"),
    "506": ("export waybill receipt", "出口运单回执"),
    "507": ("export arrival at site", "出口运抵单"),
    "508": ("export arrival receipt", "出口运抵单回执"),
    "509": ("export departure", "出口离境单"),
    "510": ("export departure receipt", "出口离境单回执"),
    "511": ("import waybill", "进口运单"),
    "512": ("import waybill receipt", "进口运单回执"),
    "513": ("import waybill status", "进口运单状态"),
    "514": ("import waybill status receipt", "进口运单状态回执"),
    "603": ("export list", "出口清单"),
    "604": ("export list receipt", "出口清单回执"),
    "605": ("export list cancellation", "出口撤销申请单"),
    "606": ("export list cancellation receipt", "出口撤销申请单回执"),
    "607": ("export list to master waybill", "出口清单总分单"),
    "608": ("export list to master waybill receipt", "出口清单总分单回执"),
    "621": ("import list", "进口清单"),
    "622": ("import list receipt", "进口清单回执"),
    "623": ("import list cancellation", "进口撤销申请单"),
    "624": ("import list cancellation receipt", "进口撤销申请单回执"),
    "625": ("import return application", "进口退货申请单"),
    "626": ("import return application receipt", "进口退货申请单回执"),
    "701": ("export summary application", "出口汇总申请单"),
    "702": ("export summary application receipt", "出口汇总申请单回执"),
    "711": ("import site entry detail", "进口入库明细单"),
    "712": ("import site entry detail receipt", "进口入库明细单回执"),
    "792": ("export summary result", "出口汇总结果单"),
    "816": ("electronic tax bill", "电子税单"),
    "818": ("electronic tax bill status", "电子税单状态"),
    "900": ("format check failure", "报文格式校验失败回执"),
}


def not_for_this_store(number: str) -> str:
    """The sentence for a message that this store understands by name only."""
    english, chinese = MESSAGE_TYPES[number]
    return f"CEB{number} {english} ({chinese}): not for this store yet"
