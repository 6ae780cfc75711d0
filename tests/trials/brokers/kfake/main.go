// A Kafka that is not Apache's: franz-go's kfake, in memory, with the versions of requests of other brokers on demand.
//
//	kfake -ports 25900,25901 [-highest 3:7,1:11]
//
// Ends with its standard input.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

func main() {
	portsFlag := flag.String("ports", "", "a port of each broker")
	highest := flag.String("highest", "", "REQUEST:VERSION,...: the highest versions of requests, by their numbers; -1: none")
	flag.Parse()
	var ports []int
	for _, text := range strings.Split(*portsFlag, ",") {
		var port int
		if _, err := fmt.Sscanf(text, "%d", &port); err != nil {
			log.Fatalf("Cannot use port %q: expected a number", text)
		}
		ports = append(ports, port)
	}
	options := []kfake.Opt{kfake.NumBrokers(len(ports)), kfake.Ports(ports...)}
	if *highest != "" {
		versions := kversion.Stable()
		for _, pair := range strings.Split(*highest, ",") {
			var request, version int16
			if _, err := fmt.Sscanf(pair, "%d:%d", &request, &version); err != nil {
				log.Fatalf("Cannot use %q: expected REQUEST:VERSION", pair)
			}
			versions.SetMaxKeyVersion(request, version)
		}
		options = append(options, kfake.MaxVersions(versions))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		log.Fatalf("Cannot start kfake: %v", err)
	}
	defer cluster.Close()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		log.Fatalf("Cannot read standard input: %v", err)
	}
}
