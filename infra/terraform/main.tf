# Buckets, roles and policies of one dataset on AWS: a private bucket (vault and quarantine), a public bucket (releases), and the
# roles of `infra/policies`: worker, publisher, reviewer, withdrawer. Who may read the releases is `reader_principals`; nobody may by default.
terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

locals {
  buckets = { private = var.private_bucket, public = var.public_bucket }
}

resource "aws_kms_key" "private" {
  description             = "Sallyport: private side of ${var.dataset}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_s3_bucket" "side" {
  for_each = local.buckets
  bucket   = each.value

  lifecycle {
    prevent_destroy = true
  }
}

# Nobody outside gets in by an ACL or a policy that was meant for something else; open data is shared by `reader_principals`.
resource "aws_s3_bucket_public_access_block" "side" {
  for_each                = aws_s3_bucket.side
  bucket                  = each.value.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = !(each.key == "public" && var.open_to_everybody)
  restrict_public_buckets = !(each.key == "public" && var.open_to_everybody)
}

resource "aws_s3_bucket_ownership_controls" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Versions protect against mistakes; `sallyport withdraw` deletes every version and proves it.
resource "aws_s3_bucket_versioning" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "private" ? "aws:kms" : "AES256"
      kms_master_key_id = each.key == "private" ? aws_kms_key.private.arn : null
    }
    bucket_key_enabled = each.key == "private"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

module "policies" {
  source  = "./policies"
  dataset = var.dataset
  buckets = { for side, bucket in aws_s3_bucket.side : side => bucket.id }
  roles   = { for name, role in aws_iam_role.role : name => role.arn }
  readers = var.open_to_everybody ? ["*"] : var.reader_principals
}

resource "aws_s3_bucket_policy" "side" {
  for_each   = aws_s3_bucket.side
  bucket     = each.value.id
  policy     = module.policies.json[each.key]
  depends_on = [aws_s3_bucket_public_access_block.side]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = var.operator_principals
    }
  }
}

# What each of them may do is in the buckets' policies. One machine may hold several (`profile=` in the spec's URLs).
resource "aws_iam_role" "role" {
  for_each           = toset(["worker", "publisher", "reviewer", "withdrawer"])
  name               = "sallyport-${var.dataset}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "private_key" {
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.private.arn]
  }
}

resource "aws_iam_role_policy" "private_key" {
  for_each = aws_iam_role.role
  name     = "private-key"
  role     = each.value.id
  policy   = data.aws_iam_policy_document.private_key.json
}
