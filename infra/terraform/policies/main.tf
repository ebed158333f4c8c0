# The bucket policies of `infra/policies`, their placeholders filled in. Uses no provider, so `tests/publish/test_policies.py` applies it.

variable "dataset" {
  type = string
}

variable "buckets" {
  description = "side (private, public) => bucket"
  type        = map(string)
}

variable "roles" {
  description = "role (worker, publisher, reviewer, withdrawer) => ARN"
  type        = map(string)
}

variable "readers" {
  description = "ARNs that may read the releases; [\"*\"]: everybody; empty: nobody"
  type        = list(string)
}

locals {
  named = {
    for side, bucket in var.buckets : side => replace(replace(replace(replace(replace(
      file("${path.module}/../../policies/${side}.json"),
      "${upper(side)}-BUCKET", bucket),
      ":::${bucket}/DATASET/", ":::${bucket}/${var.dataset}/"),
      "\"READER_ARN\"", contains(var.readers, "*") ? "\"*\"" : jsonencode(var.readers)),
      "WORKER_ARN", var.roles.worker),
    "PUBLISHER_ARN", var.roles.publisher)
  }
  texts = { for side, text in local.named : side => replace(replace(text, "REVIEWER_ARN", var.roles.reviewer), "WITHDRAWER_ARN", var.roles.withdrawer) }
}

output "json" {
  description = "side => policy document"
  value = {
    for side, text in local.texts : side => jsonencode({
      Version   = jsondecode(text).Version
      Statement = [for one in jsondecode(text).Statement : one if length(var.readers) > 0 || !startswith(one.Sid, "reader")]
    })
  }
}
