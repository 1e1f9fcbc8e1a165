// Asks a router's ExternalScaler with the client that KEDA's operator is built with, and prints what it says.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	if err := ask(os.Args[1], os.Args[2], os.Args[3:]...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(address, model string, options ...string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	scaler := pb.NewExternalScalerClient(conn)
	object := &pb.ScaledObjectRef{
		Name: "generator", Namespace: "inference", ScalerMetadata: map[string]string{"model": model},
	}
	if slices.Contains(options, "watch") {
		return watch(ctx, scaler, object)
	}
	specs, err := scaler.StreamMetricSpec(ctx, object)
	if err != nil {
		return err
	}
	pushed, err := specs.Recv()
	if err != nil {
		return err
	}
	pulled, err := scaler.GetMetricSpec(ctx, object)
	if err != nil {
		return err
	}
	for _, answer := range []*pb.GetMetricSpecResponse{pushed, pulled} {
		spec := answer.MetricSpecs[0]
		fmt.Println("spec", spec.MetricName, spec.TargetSizeFloat)
	}
	active, err := scaler.StreamIsActive(ctx, object)
	if err != nil {
		return err
	}
	// Until a request waits for a replica: the test sends one once it has read the first line.
	for {
		answer, err := active.Recv()
		if err != nil {
			return err
		}
		fmt.Println("active", answer.Result)
		if answer.Result {
			break
		}
	}
	now, err := scaler.IsActive(ctx, object)
	if err != nil {
		return err
	}
	metrics, err := scaler.GetMetrics(ctx, &pb.GetMetricsRequest{
		ScaledObjectRef: object, MetricName: pulled.MetricSpecs[0].MetricName,
	})
	if err != nil {
		return err
	}
	value := metrics.MetricValues[0]
	fmt.Println("now", now.Result, value.MetricName, value.MetricValueFloat)
	return nil
}
