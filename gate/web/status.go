package web

import (
	"net/http"

	"github.com/flashgate/flashgate/gate"
)

// status returns the HTTP status that answers a confirm. PortOne only checks whether it is 200.
func status(c gate.Code) int {
	switch c {
	case gate.Held:
		return http.StatusOK
	case gate.SoldOut, gate.BuyerLimit, gate.OrderChanged, gate.AlreadyPaid, gate.AttemptEnded, gate.AttemptLimit,
		gate.AmountMismatch, gate.ShopRefused:
		return http.StatusConflict
	case gate.NotOpen, gate.Closed, gate.Paused, gate.BadSignature, gate.ExpiredLink, gate.NotAllowed:
		return http.StatusForbidden
	case gate.UnknownSale, gate.UnknownSKU:
		return http.StatusNotFound
	case gate.BadRequest:
		return http.StatusBadRequest
	case gate.TooLarge:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}
