package portone

import "github.com/flashgate/flashgate/gate"

// wording is what is said in one language. The sentences are read by the buyer, in
// PortOne's payment window: each says in a line what happened and what to do now.
type wording struct {
	codes map[gate.Code]string
	// causes have a sentence of their own where the buyer is better off for it. None
	// may tell whoever forges a link what was wrong with it.
	causes map[gate.Cause]string
	// refunds go with a cancellation: the shop reads them in PortOne's console, and with
	// some payment providers the buyer on the receipt.
	refunds map[gate.RefundReason]string
}

func korean() wording {
	const setUpWrong = "판매자의 결제 설정에 문제가 있어 결제를 진행하지 못했습니다. 결제된 금액은 없으니 판매자에게 문의해 주세요."
	return wording{causes: untaken(setUpWrong), refunds: map[gate.RefundReason]string{
		gate.RefundTestChannel: "테스트 채널로 결제되어 취소합니다.",
		gate.RefundAmount:      "결제 금액이 주문 금액과 달라 취소합니다.",
		gate.RefundOrderEnded:  "이미 환불되었거나 취소된 주문의 결제이므로 취소합니다.",
		gate.RefundNoUnits:     "결제가 승인되었을 때 이 주문에 배정할 수량이 없어 취소합니다.",
		gate.RefundPaidTwice:   "이미 다른 결제로 결제된 주문이므로 중복 결제를 취소합니다.",
	}, codes: map[gate.Code]string{
		gate.SoldOut:         "남은 수량이 부족하여 결제를 진행할 수 없습니다. 수량을 줄이거나 잠시 후 다시 시도해 주세요.",
		gate.NotOpen:         "아직 판매가 시작되지 않았습니다. 판매 시작 시간을 확인해 주세요.",
		gate.Closed:          "판매가 종료되었습니다. 자세한 내용은 판매자에게 문의해 주세요.",
		gate.Paused:          "판매가 일시 중지되었습니다. 잠시 후 다시 시도해 주세요.",
		gate.BuyerLimit:      "1인당 구매 가능 수량을 초과했습니다. 수량을 줄이거나 기존 주문을 확인해 주세요.",
		gate.OrderChanged:    "결제 중에 주문 내용이 변경되었습니다. 처음부터 다시 주문해 주세요.",
		gate.AlreadyPaid:     "이미 결제가 처리된 주문입니다. 주문 내역을 확인해 주세요.",
		gate.AttemptEnded:    "이미 종료된 결제입니다. 주문 페이지에서 다시 결제해 주세요.",
		gate.AttemptLimit:    "결제 시도 횟수를 초과했습니다. 처음부터 다시 주문해 주세요.",
		gate.AmountMismatch:  "결제 금액이 주문 금액과 다릅니다. 처음부터 다시 주문해 주세요.",
		gate.BadSignature:    "유효하지 않은 결제 요청입니다. 주문 페이지에서 다시 결제해 주세요.",
		gate.ExpiredLink:     "결제 유효 시간이 지났습니다. 주문 페이지에서 다시 결제해 주세요.",
		gate.NotAllowed:      "결제 서비스에서 보낸 요청이 아니어서 결제를 진행하지 못했습니다. 판매자에게 문의해 주세요.",
		gate.ShopUnavailable: "판매자 시스템에 연결할 수 없어 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요.",
		gate.ShopRefused:     "판매자가 주문을 승인하지 않았습니다. 판매자에게 문의해 주세요.",
		gate.UnknownSale:     "판매 정보를 찾을 수 없습니다. 판매자에게 문의해 주세요.",
		gate.UnknownSKU:      "상품 정보를 찾을 수 없습니다. 판매자에게 문의해 주세요.",
		gate.BadRequest:      "결제 요청이 올바르지 않습니다. 판매자에게 문의해 주세요.",
		gate.TooLarge:        "결제 요청의 크기가 너무 큽니다. 판매자에게 문의해 주세요.",
		gate.Busy:            "접속자가 많아 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요.",
		gate.Unavailable:     "일시적인 오류로 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요.",
		gate.Recovering:      "시스템을 복구하고 있어 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요.",
		gate.NotDurable:      "주문을 안전하게 저장하지 못해 결제를 중단했습니다. 잠시 후 다시 시도해 주세요.",
		gate.Undecided:       "주문을 확인하지 못해 결제를 진행하지 못했습니다. 잠시 후 다시 시도해 주세요.",
	}}
}

func english() wording {
	const setUpWrong = "The shop's payment is not set up right, so no money was taken. Please contact the shop."
	return wording{causes: untaken(setUpWrong), refunds: map[gate.RefundReason]string{
		gate.RefundTestChannel: "The payment went through a test channel.",
		gate.RefundAmount:      "The amount paid is not the order's.",
		gate.RefundOrderEnded:  "The order was refunded or cancelled before this payment was approved.",
		gate.RefundNoUnits:     "No units could be given to this order when its payment was approved.",
		gate.RefundPaidTwice:   "The order was paid by another payment already.",
	}, codes: map[gate.Code]string{
		gate.SoldOut: "There are not enough units left. Please choose fewer, or try again in a little while.",
		gate.NotOpen: "The sale has not opened yet. Please check when it starts.",
		gate.Closed:  "The sale has ended. Please contact the shop if you have a question.",
		gate.Paused:  "The sale is paused. Please try again in a little while.",
		gate.BuyerLimit: "This is more than one person may buy. Please choose fewer, or check your " +
			"earlier orders.",
		gate.OrderChanged:   "The order changed while it was being paid. Please place a new order.",
		gate.AlreadyPaid:    "The payment of this order has already been handled. Please check your orders.",
		gate.AttemptEnded:   "This payment has already ended. Please pay again from the order page.",
		gate.AttemptLimit:   "There were too many attempts to pay this order. Please place a new order.",
		gate.AmountMismatch: "The amount is not the order's. Please place a new order.",
		gate.BadSignature:   "This payment request is not valid. Please pay again from the order page.",
		gate.ExpiredLink:    "The time to pay has run out. Please pay again from the order page.",
		gate.NotAllowed:     "This payment request does not come from the payment service. Please contact the shop.",
		gate.ShopUnavailable: "The shop cannot be reached, so the payment was stopped. Please try again in a " +
			"little while.",
		gate.ShopRefused: "The shop did not accept the order. Please contact the shop.",
		gate.UnknownSale: "This sale cannot be found. Please contact the shop.",
		gate.UnknownSKU:  "This product cannot be found. Please contact the shop.",
		gate.BadRequest:  "The payment request is not correct. Please contact the shop.",
		gate.TooLarge:    "The payment request is too large. Please contact the shop.",
		gate.Busy: "Many people are paying right now, so the payment was stopped. Please try again in a " +
			"little while.",
		gate.Unavailable: "The payment was stopped because of a passing fault. Please try again in a little while.",
		gate.Recovering: "The system is recovering, so the payment was stopped. Please try again in a " +
			"little while.",
		gate.NotDurable: "The order could not be stored safely, so the payment was stopped. Please try again in " +
			"a little while.",
		gate.Undecided: "The order could not be checked, so the payment was stopped. Please try again in a " +
			"little while.",
	}}
}

// untaken has the sentence for calls of a version that the sale does not take: the
// request is right, and what the sale or its gates must be told is for the operator.
func untaken(sentence string) map[gate.Cause]string {
	return map[gate.Cause]string{
		gate.VersionNotNamed: sentence, gate.VersionUnsigned: sentence, gate.VersionNotLookedUp: sentence,
	}
}
