// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	pluginapi "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
	stub "k8s.io/kubernetes/pkg/kubelet/cm/devicemanager/plugin/v1beta1"
)

// devicePlugin implements `device-plugin RESOURCE COUNT`: it registers COUNT healthy devices with the kubelet of this
// mount namespace, and registers them again when the kubelet restarts. It sets the IDs of a container's devices in the
// container's environment, as NVIDIA's plugin does, and the number of GPUs to simulate.
func devicePlugin(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("usage: device-plugin RESOURCE COUNT")
	}
	resource := arguments[0]
	count, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	node, err := os.Hostname()
	if err != nil {
		return err
	}
	var devices []*pluginapi.Device
	for i := range count {
		devices = append(devices, &pluginapi.Device{ID: fmt.Sprintf("GPU-%s-%d", node, i), Health: pluginapi.Healthy})
	}
	socket := pluginapi.DevicePluginPath + strings.ReplaceAll(resource, "/", "_") + ".sock"
	plugin := stub.NewDevicePluginStub(devices, socket, resource, false, false)
	plugin.SetAllocFunc(allocate)
	if err := plugin.Start(); err != nil {
		return err
	}
	if err := plugin.Register(pluginapi.KubeletSocket, resource, ""); err != nil {
		return err
	}
	plugin.Watch(pluginapi.KubeletSocket, resource, "") // does not return
	return nil
}

func allocate(request *pluginapi.AllocateRequest, _ map[string]*pluginapi.Device) (*pluginapi.AllocateResponse, error) {
	response := &pluginapi.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		response.ContainerResponses = append(response.ContainerResponses, &pluginapi.ContainerAllocateResponse{
			Envs: map[string]string{
				"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ","),
				"CUDAFAULT_SIM_GPUS":     strconv.Itoa(len(container.DevicesIds)),
			}})
	}
	return response, nil
}
