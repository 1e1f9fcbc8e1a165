package main

import (
	"context"
	"fmt"

	pb "github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
)

// watch prints what is pushed until the model is to have no replica any more.
func watch(ctx context.Context, scaler pb.ExternalScalerClient, object *pb.ScaledObjectRef) error {
	pushes, err := scaler.StreamIsActive(ctx, object)
	if err != nil {
		return err
	}
	for {
		pushed, err := pushes.Recv()
		if err != nil {
			return err
		}
		fmt.Println("active", pushed.Result)
		if !pushed.Result {
			return nil
		}
	}
}
