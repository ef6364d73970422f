package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/flashgate/flashgate/gate/lane"
	"github.com/flashgate/flashgate/gate/settle"
	"github.com/flashgate/flashgate/gate/shop"
	"github.com/flashgate/flashgate/gate/web"
)

// workers are the parts of serve that run at the same time.
type workers struct {
	gate       *lane.Gate
	settler    *settle.Settler
	reconciler *settle.Reconciler // nil without credentials of PortOne
	notifier   *shop.Notifier
	lastWord   *shop.LastWord
	forwarder  *shop.Forwarder // nil where webhooks are not passed on
	public     *web.Public
	admin      *web.Admin
	watcher    *watcher
	reloader   *reloader
	refusals   *web.RefusalLog
	drainWait  time.Duration
	log        *slog.Logger
}

// run runs them until ctx is done or a listener fails. Then they end in this
// order: not ready, and no file is read anew; a while of answering all the same, no
// new connections, the last answers, the lanes, the refusal log; the metrics stay to
// be read.
func (w *workers) run(ctx context.Context, public, admin net.Listener) error {
	failed := make(chan error, 2)
	var serving, forwards, lanes, logging, reloading sync.WaitGroup
	reloadCtx, stopReload := context.WithCancel(ctx) // what ends takes no new files
	defer stopReload()
	forwardCtx, stopForwards := context.WithCancel(context.WithoutCancel(ctx))
	defer stopForwards()
	gateCtx, stopGate := context.WithCancel(context.WithoutCancel(ctx))
	defer stopGate()
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLog()

	lanes.Go(func() { w.gate.Run(gateCtx) })
	lanes.Go(func() { w.settler.Run(gateCtx) })
	if w.reconciler != nil {
		lanes.Go(func() { w.reconciler.Run(gateCtx) })
	}
	lanes.Go(func() { w.notifier.Run(gateCtx) })
	lanes.Go(func() { w.lastWord.Run(gateCtx) })
	lanes.Go(func() { w.watcher.run(gateCtx) })
	forwards.Go(func() { w.forwarder.Run(forwardCtx) })
	if w.refusals != nil {
		logging.Go(func() { w.refusals.Run(logCtx) })
	}
	reloading.Go(func() { w.reloader.run(reloadCtx) })
	serving.Go(func() { failed <- w.public.Serve(public) })
	serving.Go(func() { failed <- w.admin.Serve(admin) })

	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("a listener failed: %w", err)
	case <-ctx.Done():
		w.log.Info("draining: not ready, but still answering; a second signal ends it at once", "wait",
			w.drainWait.String())
		w.public.Drain()
		timer := time.NewTimer(w.drainWait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case err = <-failed:
		}
	}
	w.public.Drain()
	stopForwards() // webhooks wait for them, and Shutdown for webhooks
	err = errors.Join(err, w.public.Shutdown())
	forwards.Wait()
	stopGate()
	lanes.Wait()
	stopLog()
	logging.Wait()
	stopAdmin, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = errors.Join(err, w.admin.Shutdown(stopAdmin))
	serving.Wait()
	stopReload()
	reloading.Wait()
	w.log.Info("ended")
	return err
}
