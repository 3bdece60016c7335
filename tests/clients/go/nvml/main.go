// SPDX-License-Identifier: Apache-2.0

// Reads the name, UUID and memory of every GPU with go-nvml, as a monitoring agent does.
package main

import (
	"fmt"
	"os"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func step(name string, result nvml.Return) {
	if result != nvml.SUCCESS {
		fmt.Printf("%s %d %s\n", name, result, nvml.ErrorString(result))
		os.Exit(1)
	}
}

func main() {
	step("Init", nvml.Init())
	count, result := nvml.DeviceGetCount()
	step("DeviceGetCount", result)
	for index := 0; index < count; index++ {
		device, result := nvml.DeviceGetHandleByIndex(index)
		step("DeviceGetHandleByIndex", result)
		name, result := device.GetName()
		step("GetName", result)
		uuid, result := device.GetUUID()
		step("GetUUID", result)
		memory, result := device.GetMemoryInfo()
		step("GetMemoryInfo", result)
		fmt.Println(index, name, uuid, memory.Total)
	}
	step("Shutdown", nvml.Shutdown())
}
