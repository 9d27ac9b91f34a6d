"""The words of receipts and exported files, in both languages. Pages have their own (`web/ui`)."""

from __future__ import annotations

from typing import Final

EN: Final = "en"

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "receipt": "Receipt", "number": "Order number", "enterprise": "Enterprise", "kind": "Balance",
        "amount": "Amount", "state": "State", "provider": "Paid by", "ordered_at": "Ordered", "paid_at": "Credited",
        "ordered_by": "Ordered by", "credited_by": "Credited by", "ref": "Payment reference", "note": "Note",
        "receipt_note": "This receipt confirms that the amount was credited to the balance. It is not a tax invoice.",
        "sms": "SMS", "mms": "MMS", "transfer": "Bank transfer", "stripe": "Stripe", "alipay": "Alipay",
        "operator": "Credited by the operator",
        "open": "Waiting for payment", "paid": "Credited", "cancelled": "Cancelled", "expired": "Expired",
        "code": "Codes", "service": "Service", "marketing": "Marketing", "": "",
        "at": "Time", "send": "Send", "purpose": "Business type", "user": "Who spent", "texts": "Texts",
        "segments": "Segments", "given_back": "Given back", "currency": "Currency",
        "day": "Day", "opening": "Opening", "topped_up": "Topped up", "corrected": "Corrections",
        "reserved": "Reserved", "refunded": "Not sent", "closing": "Closing", "settled": "Settled",
        "reserved_opening": "Reserved, opening", "reserved_closing": "Reserved, closing",
        "top_ups": "Top-ups", "deductions": "Deductions", "statement": "Statement",
    },
    "zh-CN": {
        "receipt": "充值收据", "number": "订单号", "enterprise": "企业", "kind": "余额类型",
        "amount": "金额", "state": "状态", "provider": "支付方式", "ordered_at": "下单时间", "paid_at": "到账时间",
        "ordered_by": "下单人", "credited_by": "入账人", "ref": "支付流水号", "note": "备注",
        "receipt_note": "本收据仅证明上述金额已计入余额，不作为税务发票使用。",
        "sms": "短信", "mms": "彩信", "transfer": "银行转账", "stripe": "Stripe", "alipay": "支付宝",
        "operator": "运营方充值",
        "open": "待付款", "paid": "已到账", "cancelled": "已取消", "expired": "已过期",
        "code": "验证码", "service": "服务通知", "marketing": "营销推广", "": "",
        "at": "时间", "send": "发送任务", "purpose": "业务类型", "user": "消费人", "texts": "条数",
        "segments": "计费条数", "given_back": "退回", "currency": "币种",
        "day": "日期", "opening": "期初余额", "topped_up": "充值", "corrected": "调整",
        "reserved": "冻结", "refunded": "未发送解冻", "closing": "期末余额", "settled": "扣费",
        "reserved_opening": "期初冻结", "reserved_closing": "期末冻结",
        "top_ups": "充值记录", "deductions": "扣费记录", "statement": "对账单",
    },
}  # fmt: skip


def word(locale: str, key: str) -> str:
    """`key` in the language; English for one that we don't have."""
    return WORDS.get(locale, WORDS[EN])[key]
