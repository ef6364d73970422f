// Package web has the listeners: the public one that PortOne calls, and the admin one. Only
// here a verdict becomes an HTTP status.
//
// # Requests
//
// fasthttp compares some headers (Expect, Connection) byte by byte, though HTTP ignores their
// case; header.go corrects them when a request's header has come. A body that is announced as too
// large is refused before its client is told to send it.
//
// A request that cannot be read to its end is answered, and its connection is closed after half
// a second or 256 KiB more (linger.go). Closing with bytes unread resets a connection, and the
// client may then lose the answer. A drain does not wait for this.
//
// # Connections
//
// Each listener has a maximum of open connections (crowd.go), derived from the limit of open
// files; a quarter of that is reserved for everything else. A connection knows whether it is
// being answered, or since when it waits for a request. To make room, the listener closes the
// connection that has waited longest, first among those that never sent a whole request. So
// strangers who send nothing push out one another, not a load balancer's kept connections. A
// compare-and-swap makes sure that only a waiting connection is closed: no request is decided
// whose answer nobody would read. One connection beyond the maximum is accepted and held until
// there is room. After an error of accept the listener waits and tries again (patient.go); only
// closing ends it.
//
// # Availability
//
// GET /sales/{sale} tells the shop's pages what is left (availability.go). Tens of thousands may ask
// at once, so an answer is made at most five times a second and its bytes are shared; a request looks
// it up, and allocates next to nothing. It comes from the lane, which has it from the mirror or from
// its last reading: no request reaches Redis. Where the gate does not know, the answer is 503.
//
// Its entity tag stands for the content without the time, and for the second that it was made in. A
// 304 is given for the same content if the seconds are near each other. A tag for the content alone
// would let a cache renew a body for hours whose time a page counts down by; one for all bytes would
// never be the same at two gates.
//
// # Who may call
//
// The public listener is for anybody: signed links, PortOne's signatures and lists of networks
// protect it (source.go, and packages gate and portone). The admin listener takes a token, of a
// role: readers look, operators change.
package web
