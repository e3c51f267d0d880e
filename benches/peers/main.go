// A client in Go that lists and watches one resource, and reports the cost.
//
// It prints one line of JSON when it is synced, and one when it has seen the last change.
// `cargo bench --bench live` and `--bench cached` start it, and serve the resource.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var (
	server  = flag.String("server", "", "where the resource is served")
	plural  = flag.String("plural", "", "the resource")
	typed   = flag.Bool("typed", false, "decode into the types of k8s.io/api")
	bare    = flag.Bool("metadata", false, "ask for metadata alone")
	objects = flag.Int("objects", 0, "how many objects there are")
	last    = flag.String("last", "", "the version of the last change")
)

func main() {
	flag.Parse()
	informer := start()

	var seen consumer
	seen.synced.Add(*objects)
	seen.done.Add(1)
	check(informer.SetTransform(strip))
	_, err := informer.AddEventHandler(&seen)
	check(err)

	// The size of the runtime and the client before any work.
	runtime.GC()
	heap, resident := heapInUse(), status("VmRSS")
	begin, cpu := time.Now(), cpuTime()
	go informer.RunWithContext(context.Background())
	seen.synced.Wait()
	wall, used := time.Since(begin), cpuTime()-cpu
	peak := status("VmHWM")

	debug.FreeOSMemory()
	n := float64(*objects)
	report(map[string]float64{
		"sync_us":    used.Seconds() * 1e6 / n,
		"sync_wall":  wall.Seconds(),
		"heap":       (heapInUse() - heap) / n,
		"resident":   (status("VmRSS") - resident) / n,
		"peak":       peak,
		"peak_extra": peak - resident,
	})

	begin, cpu = time.Now(), cpuTime()
	seen.done.Wait()
	report(map[string]float64{
		"live_wall": time.Since(begin).Seconds(),
		"live_cpu":  (cpuTime() - cpu).Seconds(),
		"live_peak": status("VmHWM"),
	})
	// The server may have finished already, but nothing else is measured.
	os.Exit(0)
}

// start returns an informer with two indexes, as in a controller.
func start() cache.SharedIndexInformer {
	config := &rest.Config{Host: *server, QPS: 10_000, Burst: 10_000}
	// All clients get the same bytes: no protobuf.
	config.ContentType = "application/json"
	config.AcceptContentTypes = "application/json"
	resource := map[string]schema.GroupVersionResource{
		"pods":      corev1.SchemeGroupVersion.WithResource("pods"),
		"ingresses": networkingv1.SchemeGroupVersion.WithResource("ingresses"),
		"secrets":   corev1.SchemeGroupVersion.WithResource("secrets"),
	}[*plural]
	var informer cache.SharedIndexInformer
	if *bare {
		client, err := metadata.NewForConfig(config)
		check(err)
		informer = metadatainformer.NewSharedInformerFactory(client, 0).ForResource(resource).Informer()
	} else if *typed {
		client, err := kubernetes.NewForConfig(config)
		check(err)
		generic, err := informers.NewSharedInformerFactory(client, 0).ForResource(resource)
		check(err)
		informer = generic.Informer()
	} else {
		client, err := dynamic.NewForConfig(config)
		check(err)
		informer = dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource(resource).Informer()
	}
	// The index by namespace exists from the start.
	check(informer.AddIndexers(cache.Indexers{"looked-up-by": lookedUpBy}))
	return informer
}

// Label by which Secrets are looked up.
const instance = "app.kubernetes.io/instance"

// lookedUpBy returns the hosts of an Ingress, the node of a Pod, or a label.
func lookedUpBy(object any) ([]string, error) {
	switch object := object.(type) {
	case *corev1.Pod:
		return []string{object.Spec.NodeName}, nil
	case *corev1.Secret:
		return []string{object.Labels[instance]}, nil
	case *metav1.PartialObjectMetadata:
		return []string{object.Labels[instance]}, nil
	case *networkingv1.Ingress:
		hosts := make([]string, 0, len(object.Spec.Rules))
		for _, rule := range object.Spec.Rules {
			hosts = append(hosts, rule.Host)
		}
		return hosts, nil
	case *unstructured.Unstructured:
		if *plural == "pods" {
			node, _, err := unstructured.NestedString(object.Object, "spec", "nodeName")
			return []string{node}, err
		}
		if *plural == "secrets" {
			return []string{object.GetLabels()[instance]}, nil
		}
		rules, _, err := unstructured.NestedFieldNoCopy(object.Object, "spec", "rules")
		var hosts []string
		if rules, ok := rules.([]any); ok {
			for _, rule := range rules {
				if rule, ok := rule.(map[string]any); ok {
					if host, ok := rule["host"].(string); ok {
						hosts = append(hosts, host)
					}
				}
			}
		}
		return hosts, err
	}
	return nil, nil
}

// strip drops the fields that the other clients drop.
func strip(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	switch object := object.(type) {
	case *corev1.Pod:
		object.Status = corev1.PodStatus{}
	case *unstructured.Unstructured:
		if *plural == "pods" {
			delete(object.Object, "status")
		}
	}
	return object, nil
}

// consumer counts objects until all have arrived, and waits for the last change.
type consumer struct {
	synced, done sync.WaitGroup
}

func (c *consumer) OnAdd(any, bool) { c.synced.Done() }

func (c *consumer) OnUpdate(_, object any) {
	if object.(metav1.Object).GetResourceVersion() == *last {
		c.done.Done()
	}
}

func (c *consumer) OnDelete(any) {}

func report(figures map[string]float64) {
	text, err := json.Marshal(figures)
	check(err)
	_, err = os.Stdout.Write(append(text, '\n'))
	check(err)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heapInUse() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// status returns a line of /proc/self/status in bytes, or 0 if there is none.
func status(field string) float64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), field+":"); found {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes * 1024
		}
	}
	return 0
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
