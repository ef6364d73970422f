package web

import (
	"bytes"
	"net"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"
)

// Sources are the networks that calls come from. The zero value trusts no proxy and takes calls
// from everywhere. It must not change once a listener has it.
type Sources struct {
	Proxies []netip.Prefix // load balancers whose X-Forwarded-For is believed
	Allowed []netip.Prefix // where PortOne calls from; if empty, calls are taken from everywhere
	Strict  bool           // refuse confirms from elsewhere too, not only webhooks
}

// known reports whether an address is a proxy's or one that PortOne calls from: such an address
// makes calls for many buyers.
func (s *Sources) known(addr netip.Addr) bool {
	return contains(s.Proxies, addr) || contains(s.Allowed, addr)
}

// client returns the address that a call comes from, given the connection's address and the lines
// of X-Forwarded-For. Each proxy adds its caller's address on the right. So client reads from the
// right while addresses are trusted proxies, and returns the first that is not: anybody may have
// made up those to its left. At an address that cannot be read, it returns the last proxy.
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
	return addr.Unmap(), err == nil && addr.Zone() == "" // a zone is valid on one host only
}

// peerOf returns the address at the other end of a connection, without a zone and not in IPv6's
// form of IPv4. It is invalid if the connection is not TCP.
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

// elsewhere reports whether ctx's call comes from an address outside Allowed, and which. It is
// false if Allowed is empty.
func (s *Sources) elsewhere(ctx *fasthttp.RequestCtx) (netip.Addr, bool) {
	if len(s.Allowed) == 0 {
		return netip.Addr{}, false
	}
	addr := s.client(peerOf(ctx.RemoteAddr()), ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor))
	return addr, !contains(s.Allowed, addr)
}

// refusesWebhook reports whether ctx's webhook is refused because of its address. PortOne documents
// the addresses of its webhooks, so all others are refused.
func (p *Public) refusesWebhook(ctx *fasthttp.RequestCtx) bool {
	_, elsewhere := p.opt.Sources.elsewhere(ctx)
	return elsewhere
}

// refusesConfirm reports whether ctx's confirm is refused because of its address. PortOne does not
// document the addresses of its confirm calls, and a wrong list would stop every payment. So others
// are counted and logged, and refused only if Strict is set.
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
