output "spec" {
  description = "What to write into the spec"
  value = {
    private = "s3://${aws_s3_bucket.side["private"].id}/${var.dataset}"
    public  = "s3://${aws_s3_bucket.side["public"].id}/${var.dataset}"
  }
}

output "roles" {
  value = { publisher = aws_iam_role.publisher.arn, reviewer = aws_iam_role.reviewer.arn }
}
