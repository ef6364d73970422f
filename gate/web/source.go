package web

import (
	"bytes"
	"net"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"
)

// Sources are the networks that calls come from. The zero value trusts no proxy
// and takes calls from everywhere. Once a listener has it, it must not change.
type Sources struct {
	Proxies []netip.Prefix // load balancers whose X-Forwarded-For is believed
	Allowed []netip.Prefix // where PortOne calls from; none: calls are taken from everywhere
	Strict  bool           // refuse confirms from elsewhere too, and not only webhooks
}

// known reports whether an address is a proxy's or one of those that PortOne
// calls from: one that speaks for many buyers.
func (s *Sources) known(addr netip.Addr) bool {
	return contains(s.Proxies, addr) || contains(s.Allowed, addr)
}

// client returns the address that a call comes from, given its connection's and
// the lines of X-Forwarded-For. Every proxy adds on the right whom it was called
// by, so an address counts as long as a trusted one stands for it. What is left
// of the first other one anybody may have made up, and what cannot be read says
// nothing: then the last trusted address is all that is known.
func (s *Sources) client(peer netip.Addr, forwarded [][]byte) netip.Addr {
	addr := peer
	for i := len(forwarded) - 1; i >= 0; i-- {
		for line, comma := forwarded[i], 0; comma >= 0; {
			if !contains(s.Proxies, addr) {
				return addr
			}
			comma = bytes.LastIndexByte(line, ',')
			hop, ok := parseHop(line[comma+1:])
			if !ok {
				return addr
			}
			addr, line = hop, line[:max(comma, 0)]
		}
	}
	return addr
}

// parseHop reads an address of X-Forwarded-For, which may come with a port.
func parseHop(b []byte) (netip.Addr, bool) {
	text := string(bytes.Trim(b, " \t"))
	addr, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		addr = withPort.Addr()
	}
	return addr.Unmap(), err == nil && addr.Zone() == "" // a zone means something to one host alone
}

// peerOf returns the address at the other end of a connection, as networks have
// it. It is no valid one where the connection is not TCP.
func peerOf(a net.Addr) netip.Addr {
	tcp, _ := a.(*net.TCPAddr) // nil has no address
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// elsewhere reports whether ctx's call comes from another address than those
// that are allowed, and from which. It is false where none are named.
func (s *Sources) elsewhere(ctx *fasthttp.RequestCtx) (netip.Addr, bool) {
	if len(s.Allowed) == 0 {
		return netip.Addr{}, false
	}
	addr := s.client(peerOf(ctx.RemoteAddr()), ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor))
	return addr, !contains(s.Allowed, addr)
}

// refusesWebhook reports whether ctx's webhook is refused for where it comes
// from. PortOne documents its webhooks' addresses, so elsewhere is nobody's.
func (p *Public) refusesWebhook(ctx *fasthttp.RequestCtx) bool {
	_, elsewhere := p.opt.Sources.elsewhere(ctx)
	return elsewhere
}

// refusesConfirm reports whether ctx's confirm is refused for where it comes
// from. PortOne does not document its confirms' addresses, and a wrong list
// would stop every payment: so those from elsewhere are counted and logged, and
// refused only if the operator said so.
func (p *Public) refusesConfirm(ctx *fasthttp.RequestCtx, received time.Time) bool {
	addr, elsewhere := p.opt.Sources.elsewhere(ctx)
	if !elsewhere {
		return false
	}
	p.deps.Metrics.elsewhere.Inc()
	if n := p.strangers.Note(received); n > 0 {
		p.deps.Log.Warn("confirms come from an address that --allow-from does not name", "address", addr.String(),
			"confirms", n, "refused", p.opt.Sources.Strict)
	}
	return p.opt.Sources.Strict
}
