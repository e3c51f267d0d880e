// The program before the migration, with client-go. `main.rs` does the same with kube-weir.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

const byService = "service"

type controller struct {
	services corelisters.ServiceLister
	slices   cache.Indexer
	queue    workqueue.TypedRateLimitingInterface[string]
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	client, err := kubernetes.NewForConfig(config)
	check(err)

	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(dropManagedFields))
	services := factory.Core().V1().Services()
	endpoints := factory.Discovery().V1().EndpointSlices().Informer()
	check(endpoints.AddIndexers(cache.Indexers{byService: serviceOf}))
	c := controller{
		services: services.Lister(),
		slices:   endpoints.GetIndexer(),
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	ofServices, err := services.Informer().AddEventHandler(handler(c.enqueueService))
	check(err)
	ofSlices, err := endpoints.AddEventHandler(handler(c.enqueueOwner))
	check(err)

	factory.Start(ctx.Done())
	// The handlers get the initial lists before the first key is computed, so none is computed twice for them.
	if !cache.WaitForCacheSync(ctx.Done(), ofServices.HasSynced, ofSlices.HasSynced) {
		fmt.Fprintln(os.Stderr, "not synced")
		os.Exit(1)
	}
	go func() {
		<-ctx.Done()
		c.queue.ShutDown()
	}()
	for c.next() {
	}
}

// next handles one key of the queue; it returns false at the end.
func (c *controller) next() bool {
	key, shutdown := c.queue.Get()
	if shutdown {
		return false
	}
	defer c.queue.Done(key)
	if err := c.reconcile(key); err != nil {
		fmt.Fprintln(os.Stderr, err)
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	return true
}

func (c *controller) reconcile(key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	_, err = c.services.Services(namespace).Get(name)
	if errors.IsNotFound(err) {
		fmt.Println(key, "is gone")
		return nil
	}
	if err != nil {
		return err
	}
	found, err := c.slices.ByIndex(byService, key)
	if err != nil {
		return err
	}
	var addresses []string
	for _, object := range found {
		for _, endpoint := range object.(*discoveryv1.EndpointSlice).Endpoints {
			addresses = append(addresses, endpoint.Addresses...)
		}
	}
	slices.Sort(addresses)
	fmt.Println(key, "->", strings.Join(slices.Compact(addresses), ", "))
	return nil
}

// handler passes objects to enqueue: new ones, old and new versions, and the last known version of deleted ones.
func handler(enqueue func(object any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue,
		UpdateFunc: func(before, after any) {
			enqueue(before)
			enqueue(after)
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = unknown.Obj
			}
			enqueue(object)
		},
	}
}

func (c *controller) enqueueService(object any) {
	if key, err := cache.MetaNamespaceKeyFunc(object); err == nil {
		c.queue.Add(key)
	}
}

func (c *controller) enqueueOwner(object any) {
	keys, _ := serviceOf(object)
	for _, key := range keys {
		c.queue.Add(key)
	}
}

func serviceOf(object any) ([]string, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return nil, fmt.Errorf("unexpected %T", object)
	}
	service := slice.Labels[discoveryv1.LabelServiceName]
	if service == "" {
		return nil, nil
	}
	return []string{slice.Namespace + "/" + service}, nil
}

func dropManagedFields(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
